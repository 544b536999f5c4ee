"""Products with weights of 16 bits by way of a widened copy: the bits of widening in each tile."""

from __future__ import annotations

import numpy as np
import pytest
from precisions import ALL
from simd import exact
from simd.exact import assert_same_bits
from simd.memory import Canaries
from simd.packing import pack_one

from npbert import simd
from npbert.simd.gemm import DEPTH
from npbert.simd.kernel import kernel
from npbert.simd.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64

pytestmark = pytest.mark.kernel

both = pytest.mark.parametrize("precision", [FLOAT16, BFLOAT16], ids=lambda each: each.name)


@kernel("void(real[:, ::1], stored[::1], real[:, ::1], int64, int64)")
def one_panel(a, b, c, width, rows):
    """All tiles of a panel of the given width, at the start of ``c``; it fetches from nowhere."""
    a_address, b_address, c_address = a.ctypes.data, b.ctypes.data, c.ctypes.data
    depth, stride = a.shape[1] - 1, c.shape[1]
    simd.multiply_widened(width, a_address, depth + 1, depth, b_address, c_address, stride, rows, 0)


@both
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("depth", [1, 2, 3, 63, DEPTH, 65, 2 * DEPTH - 1, 2 * DEPTH, 200])
@pytest.mark.parametrize("rows", [1, 2, simd.TILE_ROWS, 5 * simd.TILE_ROWS + 1])
def test_the_bits_of_the_contract(precision, width, depth, rows):
    """Rows of ``a`` and ``c`` may be wider; nothing but ``c`` is written to."""
    random, guarded = np.random.default_rng((depth, width, rows)), Canaries()
    a = np.full((rows, depth + 1), np.nan, np.float32)
    a[:, :depth] = random.standard_normal((rows, depth))
    b = precision.weights(random.standard_normal((depth, 16 * width)))
    expected = np.full((rows + 1, 16 * width + 3), np.nan, np.float32)
    a, panel, c = guarded(a), guarded(pack_one(b, precision)), guarded(expected)
    one_panel[precision](a, panel, c, width, rows)
    expected[:rows, : 16 * width] = exact.gemm(a[:, :depth], b)
    assert_same_bits(c, expected)
    guarded.check()


def test_where_which_is_taken():
    """A precision that widens has its own tiles, and its own copy; the others have none."""
    names = {precision: simd.of(precision) for precision in ALL}
    for precision, own in names.items():
        assert precision.widens == own.WIDENS
        assert (own.multiply is names[FLOAT32].multiply) == (precision == FLOAT32)
        assert (own.multiply_widened is names[FLOAT32].multiply_widened) != precision.widens
        assert set(own.PACES) <= set(simd.PACES)
    of_float16 = [each for each in ALL if each.stored == "float16"]
    assert len({names[each].multiply for each in of_float16}) == 1
    assert names[FLOAT64].multiply is not names[FLOAT16].multiply is not names[BFLOAT16].multiply
