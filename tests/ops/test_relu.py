from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from ops.checks import check, numbers
from simd.exact import assert_same_bits

from npbert.ops.relu import relu, relu_kernel
from npbert.simd import buffers


def test_by_hand():
    assert relu(np.array([-2.0, 0.0, 3.0, -np.inf, np.inf])).tolist() == [0, 0, 3, 0, np.inf]
    assert np.isnan(relu(np.array([np.nan]))).all()


@pytest.mark.kernel
@given(hnp.arrays(np.float32, (3, 21), elements=numbers(allow_nan=True, allow_infinity=True)))
def test_kernel_on_any_number(x):
    check("relu", x, bound=0)


@pytest.mark.kernel
def test_in_place():
    x = buffers.pad_columns(np.float32(np.random.default_rng(0).standard_normal((5, 21))))
    out = buffers.empty(5, 32)
    relu_kernel(x, out)
    relu_kernel(x, x)
    assert_same_bits(x, out)
