from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.checks import check, numbers
from precisions import given_in_every
from simd.exact import assert_same_bits

from npbert.ops.relu import relu, relu_kernel
from npbert.simd import buffers


def test_by_hand():
    assert relu(np.array([-2.0, 0.0, 3.0, -np.inf, np.inf])).tolist() == [0, 0, 3, 0, np.inf]
    assert np.isnan(relu(np.array([np.nan]))).all()


@given_in_every(data=st.data())
def test_kernel_on_any_number(precision, data):
    special = {"allow_nan": True, "allow_infinity": True}
    x = data.draw(numbers(3, 21, precision=precision, **special))
    check("relu", x, bound=0, precision=precision)


@pytest.mark.kernel
def test_in_place():
    x = buffers.pad_columns(np.float32(np.random.default_rng(0).standard_normal((5, 21))))
    out = buffers.empty(5, 32)
    relu_kernel(x, out)
    relu_kernel(x, x)
    assert_same_bits(x, out)
