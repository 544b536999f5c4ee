from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.checks import depths
from precisions import every, given_in_every
from simd.exact import assert_same_bits

from npbert.simd import buffers, isa
from npbert.simd.buffers import padded
from npbert.simd.panels import pack, panel_columns, size, stored_depth, unpack
from npbert.simd.precision import BFLOAT16, FLOAT32, FLOAT64, Precision


def test_panels_follow_the_instruction_set(monkeypatch):
    for each in isa.ISAS.values():
        monkeypatch.setattr(isa, "current", lambda each=each: each)
        assert panel_columns() == panel_columns(BFLOAT16) == 16 * each.tile_vectors
        assert panel_columns(FLOAT64) == 16


def stored(bits, precision: Precision):
    """Whole numbers as the numbers that are stored with these bits."""
    kind = precision.stored_dtype
    return precision.numbers(bits.astype(f"u{kind.itemsize}").view(kind))


@given_in_every(K=depths, N=st.integers(1, 150), seed=st.integers(0, 99))
def test_unpack_is_the_inverse_of_pack(precision, K, N, seed):
    """Bit for bit: NaN payloads, subnormals and the sign of zero too."""
    b = stored(np.random.default_rng(seed).integers(0, 2**64, (K, N), np.uint64), precision)
    packed = pack(b, precision=precision)
    assert packed.dtype == precision.stored_dtype
    assert packed.size == size(K, N, precision) == stored_depth(K, precision) * padded(N)
    assert packed.ctypes.data % buffers.ALIGNMENT == 0
    back = unpack(packed, K, N, precision)
    assert back.flags.c_contiguous
    assert back.dtype == b.dtype
    assert back.tobytes() == b.tobytes()


@pytest.mark.kernel
@every
def test_the_packed_layout(precision):
    """Panel after panel, each ``[k][column]``; columns past the last are zeros."""
    wide, pairs = panel_columns(precision), precision.rows_together
    b = np.arange(1, 3 * (wide + 5) + 1).reshape(3, wide + 5)
    packed = np.float64(precision.numbers(pack(b.astype(precision.real), precision=precision)))
    K = stored_depth(3, precision)
    assert {1: 3, 2: 4}[pairs] == K
    expected = np.zeros((K, wide + 16))
    expected[:3, : wide + 5] = b
    start = 0
    for panel in (expected[:, :wide], expected[:, wide:]):
        for k, column in np.ndindex(panel.shape):
            place = (k // pairs * panel.shape[1] + column) * pairs + k % pairs
            assert packed[start + place] == panel[k, column], (k, column)
        start += panel.size
    assert start == packed.size


@pytest.mark.kernel
@every
def test_pack_takes_any_layout(precision):
    b = np.random.default_rng(0).standard_normal((7, 19)).astype(precision.real)
    expected = pack(b, precision=precision)
    for same in (np.asfortranarray(b), np.repeat(b, 2, axis=1)[:, ::2], b[::-1, ::-1][::-1, ::-1]):
        assert np.array_equal(pack(same, precision=precision), expected)


@pytest.mark.kernel
@every
def test_pack_rounds_to_what_is_stored(precision):
    """To the nearest; and what is stored already stays what it is."""
    b = np.random.default_rng(0).standard_normal((7, 19))
    packed = pack(b, precision=precision)
    near = unpack(packed, 7, 19, precision)
    digits = {"float32": 24, "float64": 53, "float16": 11, "bfloat16": 8}[precision.stored]
    assert (np.abs(near.astype(np.float64) - b) <= np.abs(b) * 2.0**-digits).all()
    assert np.array_equal(pack(near, precision=precision), packed)


@pytest.mark.kernel
def test_pack_writes_where_it_is_told():
    b = np.random.default_rng(0).standard_normal((7, 19)).astype(np.float32)
    out = buffers.zeros(2, size(7, 19))
    assert pack(b, out[1]) is not None
    assert_same_bits(out[1], pack(b))
    assert not out[0].any()
    assert size(7, 19) == size(7, 19, FLOAT32) == 7 * 32
