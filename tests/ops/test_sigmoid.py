from __future__ import annotations

import math

import numpy as np
import pytest
import tolerances
from hypothesis import strategies as st
from ops.bounds import Bounds
from ops.checks import check, numbers
from precisions import given_in_every
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.sigmoid import sigmoid, sigmoid_kernel
from npbert.simd import buffers


def test_by_hand():
    x = np.array([0.0, math.log(3), -math.log(3), 800.0, -800.0])
    expected = np.array([0.5, 0.75, 0.25, 1.0, 0.0])
    assert_within(sigmoid(x), expected, tolerances.definition(expected) + 1e-300)
    assert np.isnan(sigmoid(np.array([np.nan]))).all()


@given_in_every(data=st.data())
def test_kernel_on_any_number(precision, data):
    x = data.draw(numbers(3, 21, precision=precision, limit=110))
    bound = Bounds(precision).elementwise("sigmoid", sigmoid(np.float64(x)))
    check("sigmoid", x, bound=bound, precision=precision)


@pytest.mark.kernel
def test_in_place():
    x = buffers.pad_columns(np.float32(np.random.default_rng(0).standard_normal((5, 21))))
    out = buffers.empty(5, 32)
    sigmoid_kernel(x, out)
    sigmoid_kernel(x, x)
    assert_same_bits(x, out)
