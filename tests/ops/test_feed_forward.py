from __future__ import annotations

import numpy as np
import pytest
import tolerances
from hypothesis import given
from hypothesis import strategies as st
from ops.checks import compiled, dimensions, drawers
from tolerances import assert_within

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


@pytest.mark.kernel
@BOTH
@given(data=st.data())
def test_its_kernels_in_a_row(activation, data):
    """Each step passes on the error of the one before, and adds its own."""
    B, T, D, F = data.draw(dimensions(4))
    make = data.draw(drawers(("normal", "tiny", "mostly zero", "zeros of both signs")))
    x, into, out_of = make(B, T, D), make(D, F), make(F, D)
    first, second = make(F), make(D)
    wide = [np.float64(each) for each in (x, into, first, out_of, second)]
    exact = feed_forward(*wide, activation=activation)

    intermediate = compiled("dense", x, into, first)
    error = tolerances.gemm(x, into, np.broadcast_to(first, (B, T, F)))
    assert_within(intermediate, exact.intermediate, error)

    activated = compiled(activation, intermediate)
    unit = tolerances.elementwise(activation, np.maximum(np.abs(exact.activation), error))
    error = tolerances.GELU_SLOPE * error + unit
    assert_within(activated, exact.activation, error + tolerances.definition_of_gelu(intermediate))

    output = compiled("dense", activated, out_of, second)
    bias = np.broadcast_to(second, (B, T, D))
    error = error @ np.abs(wide[3]) + tolerances.gemm(exact.activation + error, out_of, bias)
    assert_within(output, exact.output, error * (1 + tolerances.gamma(1)))
