from __future__ import annotations

import numpy as np
import pytest
from simd.exact import assert_same_bits

from npbert import simd
from npbert.simd.kernel import kernel

pytestmark = pytest.mark.kernel


@kernel("void(float32[:, ::1], int64[::1], int64, int64, float32[:, ::1], int64, int64)")
def transpose(source, rows, first, column, out, place, stride):
    simd.transpose(source, rows, first, column, out, place, stride)


@pytest.mark.parametrize("count", [1, 3, 15, 16, 40])
def test_transpose(count):
    """Any rows in any order; the last one again where there are no more."""
    random = np.random.default_rng(count)
    source = random.standard_normal((23, 37)).astype(np.float32)
    rows, first = random.integers(0, 23, count), count // 2
    out = np.zeros((1, 5 + 15 * 19 + 16), np.float32)
    transpose(source, rows, first, 21, out, 5, 19)
    expected = np.zeros_like(out)
    for c in range(16):
        for r in range(16):
            expected[0, 5 + 19 * c + r] = source[rows[min(first + r, count - 1)], 21 + c]
    assert_same_bits(out, expected)
