from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.bounds import Bounds
from ops.checks import assert_near, compiled, dimensions, drawers
from precisions import given_in_every
from simd.exact import assert_same_bits

from npbert.ops.feed_forward import feed_forward
from npbert.ops.gelu import gelu, gelu_approximate

BOTH = pytest.mark.parametrize("activation", ["gelu_approximate", "gelu"])


@BOTH
def test_by_hand(activation):
    """Far from zero both GELUs are the identity, or zero."""
    x, weights = np.array([[[2.0]]]), np.array([[10.0, -10.0]])
    out = feed_forward(
        x, weights, np.array([1.0, 1.0]), weights.T * 3, np.array([5.0]), activation=activation
    )
    assert out.intermediate.tolist() == [[[21, -19]]]
    assert out.activation.tolist() == [[[21, 0]]]
    assert out.output.tolist() == [[[635]]]


def test_constants_reach_the_gelu():
    x, one, zero = np.array([[0.7]]), np.ones((1, 1)), np.zeros(1)
    out = feed_forward(x, one, zero, one, zero, activation="gelu_approximate", cubic=0.05)
    assert out.output == gelu_approximate(x, cubic=0.05) != gelu_approximate(x)
    assert feed_forward(x, one, zero, one, zero, activation="gelu").output == gelu(x)


@BOTH
@given_in_every(data=st.data())
def test_its_kernels_in_a_row(activation, precision, data):
    """Each step passes on the error of the one before, and adds its own."""
    B, T, D, F = data.draw(dimensions(4))
    kinds, bounds = ("normal", "tiny", "mostly zero", "zeros of both signs"), Bounds(precision)
    make = data.draw(drawers(precision, kinds))
    x, *weights = make(B, T, D), *map(precision.weights, (make(D, F), make(F), make(F, D), make(D)))
    wide = x, into, first, out_of, second = [np.float64(each) for each in (x, *weights)]

    intermediate = compiled("dense", x, into, first, precision=precision)
    error = bounds.gemm(x, into, np.broadcast_to(first, (B, T, F)))
    inner = bounds.rounded(x @ into + first, error)
    assert_near(intermediate, inner, precision)

    activated = compiled(activation, intermediate, precision=precision)
    active = bounds.gelu(activation, *inner)
    assert_near(activated, active, precision)

    output = compiled("dense", activated, out_of, second, precision=precision)
    bias = np.broadcast_to(second, (B, T, D))
    passed_on = active.bound @ np.abs(out_of)
    error = passed_on + bounds.gemm(np.abs(active.value) + active.bound, out_of, bias)
    outer = bounds.rounded(active.value @ out_of + second, error)
    assert_near(output, outer, precision)

    if not precision.rounded:
        exact = feed_forward(*wide, activation=activation)
        for near, step in zip((inner, active, outer), exact, strict=True):
            assert_same_bits(near.value, step)
