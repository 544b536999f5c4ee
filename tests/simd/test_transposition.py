from __future__ import annotations

import numpy as np
import pytest
from simd.exact import assert_same_bits
from simd.memory import Canaries

from npbert import simd
from npbert.simd.kernel import kernel

pytestmark = pytest.mark.kernel


KINDS = ["float32", "float64"]


def _transpose(source, rows, first, column, out, place, stride):
    simd.transpose(source, rows, first, column, out, place, stride)


def made_for(source, out):
    signature = f"void({source}[:, ::1], int64[::1], int64, int64, {out}[:, ::1], int64, int64)"
    return kernel(signature)(_transpose)


TRANSPOSE = {kind: made_for(kind, kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 3, 15, 16, 40])
def test_transpose(count, kind):
    """Any rows in any order; the last one again where there are no more."""
    random = np.random.default_rng(count)
    source = random.standard_normal((23, 37)).astype(kind)
    rows, first = random.integers(0, 23, count), count // 2
    guarded = Canaries()
    out = guarded(np.zeros((1, 5 + 15 * 19 + 16), kind))
    TRANSPOSE[kind](guarded(source), rows, first, 21, out, 5, 19)
    expected = np.zeros_like(out)
    for c in range(16):
        for r in range(16):
            expected[0, 5 + 19 * c + r] = source[rows[min(first + r, count - 1)], 21 + c]
    assert_same_bits(out, expected)
    guarded.check()


def test_both_arrays_are_of_one_type():
    from numba.core.errors import TypingError

    message = r"array\(float64, 2d, C\) cannot be transposed into array\(float32, 2d, C\)"
    with pytest.raises(TypingError, match=message):
        made_for("float64", "float32").prepare()
