from __future__ import annotations

import math

import numpy as np
import pytest
import tolerances
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ops.checks import check, compiled, dimensions, drawers, numbers
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.pooler import pooler, tanh_kernel
from npbert.simd import buffers


def test_by_hand():
    sequence = np.array([[[1.0, 2.0], [77.0, 99.0]]])
    out = pooler(sequence, np.array([[0.5, 1.0], [0.25, -1.0]]), np.array([0.0, 1.0]))
    expected = np.array([[math.tanh(1.0), 0.0]])
    assert_within(out, expected, tolerances.definition(expected))


@pytest.mark.kernel
@given(data=st.data())
def test_kernels(data):
    B, T, K, M = data.draw(dimensions(4))
    make = data.draw(drawers())
    sequence, kernel, bias = make(B, T, K), make(K, M), make(M)
    # tanh passes on no more than it gets.
    bound = tolerances.gemm(sequence[:, 0], kernel, np.broadcast_to(bias, (B, M)))
    exact = pooler(*(np.float64(x) for x in (sequence, kernel, bias)))
    bound = bound + tolerances.elementwise("tanh", np.minimum(np.abs(exact) + bound, 1))
    check("pooler", sequence, kernel, bias, bound=bound)


@pytest.mark.kernel
@given(hnp.arrays(np.float32, (3, 21), elements=numbers() | numbers(limit=10)))
def test_tanh_on_any_number(x):
    check("tanh", x, bound=tolerances.elementwise("tanh", np.tanh(np.float64(x))))
    assert_same_bits(compiled("tanh", -x), -compiled("tanh", x))


@pytest.mark.kernel
def test_tanh_of_what_is_not_finite():
    out = compiled("tanh", np.float32([[np.nan, np.inf, -np.inf, 0.0, -0.0]]))[0]
    assert np.isnan(out[0])
    assert_same_bits(out[1:], np.float32([1, -1, 0.0, -0.0]))


@pytest.mark.kernel
def test_tanh_in_place_and_padding():
    x = buffers.pad_columns(np.float32(np.random.default_rng(0).standard_normal((5, 21))))
    out = buffers.empty(5, 32)
    tanh_kernel(x, out)
    tanh_kernel(x, x)
    assert_same_bits(x, out)
    assert not out[:, 21:].any()
