from __future__ import annotations

import math

import numpy as np
import pytest
import tolerances
from hypothesis import strategies as st
from ops.bounds import Bounds
from ops.checks import assert_near, check, compiled, dimensions, drawers, exactly, numbers
from precisions import every, given_in_every
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.pooler import pooler, tanh_kernel
from npbert.simd import buffers


def test_by_hand():
    sequence = np.array([[[1.0, 2.0], [77.0, 99.0]]])
    out = pooler(sequence, np.array([[0.5, 1.0], [0.25, -1.0]]), np.array([0.0, 1.0]))
    expected = np.array([[math.tanh(1.0), 0.0]])
    assert_within(out, expected, tolerances.definition(expected))


@given_in_every(data=st.data())
def test_kernels(precision, data):
    B, T, K, M = data.draw(dimensions(4))
    make, bounds = data.draw(drawers(precision)), Bounds(precision)
    sequence, kernel, bias = make(B, T, K), *map(precision.weights, (make(K, M), make(M)))
    first, kernel_64, bias_64 = (np.float64(x) for x in (sequence[:, 0], kernel, bias))
    bound = bounds.gemm(first, kernel_64, np.broadcast_to(bias_64, (B, M)))
    inner = bounds.rounded(first @ kernel_64 + bias_64, bound)
    exact = np.tanh(inner.value)
    # tanh passes on no more than it gets.
    bound = inner.bound + bounds.elementwise("tanh", np.minimum(np.abs(exact) + inner.bound, 1))
    actual = compiled("pooler", sequence, kernel, bias, precision=precision)
    assert_near(actual, bounds.rounded(exact, bound), precision)
    if not precision.rounded:
        assert_same_bits(exact, exactly("pooler", sequence, kernel, bias))


@given_in_every(data=st.data())
def test_tanh_on_any_number(precision, data):
    x = data.draw(numbers(3, 21, precision=precision, limit=10))
    bound = Bounds(precision).elementwise("tanh", np.tanh(np.float64(x)))
    check("tanh", x, bound=bound, precision=precision)
    both = (compiled("tanh", each, precision=precision) for each in (x, -x))
    assert_same_bits(next(both), -next(both))


@pytest.mark.kernel
@every
def test_tanh_of_what_is_not_finite(precision):
    x = np.array([[np.nan, np.inf, -np.inf, 0.0, -0.0]], precision.real)
    out = compiled("tanh", x, precision=precision)[0]
    assert np.isnan(out[0])
    assert_same_bits(out[1:], np.array([1, -1, 0.0, -0.0], precision.real))


@pytest.mark.kernel
def test_tanh_in_place_and_padding():
    x = buffers.pad_columns(np.float32(np.random.default_rng(0).standard_normal((5, 21))))
    out = buffers.empty(5, 32)
    tanh_kernel(x, out)
    tanh_kernel(x, x)
    assert_same_bits(x, out)
    assert not out[:, 21:].any()
