from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ops.checks import depths, drawers, sizes
from simd import exact
from simd.exact import assert_same_bits

import npbert
from npbert.ops.gelu import gelu_approximate_kernel, gelu_kernel
from npbert.simd import buffers, gemm
from npbert.simd.buffers import padded
from npbert.simd.gemm import (
    DEPTH,
    GELU,
    GELU_APPROXIMATE,
    NO_ACTIVATION,
    gemm_kernel,
    pack,
    panel_columns,
    unpack,
)

NOTHING = np.zeros((0, 0), np.float32)


def test_the_cut_is_part_of_the_versioned_contract():
    """Another depth means other bits: then NUMERICS must grow, and this line with it."""
    assert (npbert.NUMERICS, DEPTH) == (1, 64)


def test_the_oracle_itself_against_scalar_fmaf():
    """Each element alone: chains of fmaf in ascending k, parts added in ascending order."""
    random, K = np.random.default_rng(0), 2 * DEPTH + 5
    a, b = (random.standard_normal(s).astype(np.float32) for s in ((2, K), (K, 3)))
    bias = random.standard_normal(3).astype(np.float32)
    for m, n in np.ndindex(2, 3):
        parts = []
        for k in range(K):
            if k % DEPTH == 0:
                parts.append(np.float32(0))
            parts[-1] = np.float32(exact.c_fma()(a[m, k], b[k, n], parts[-1]))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        assert_same_bits(exact.gemm(a, b, bias)[m, n], total + bias[n])


def multiply(a, b, bias=None, residual=None, rows=None):
    """The kernel, on buffers that are as large as they must be."""
    (M, K), N = a.shape, b.shape[1]
    rows = M if rows is None else rows
    out = np.full((M, padded(N)), np.nan, np.float32)
    gemm_kernel(
        rows,
        np.ascontiguousarray(a),
        K,
        pack(b),
        N,
        NOTHING if bias is None else buffers.pad_columns(bias[None]),
        NOTHING if residual is None else buffers.pad_columns(residual),
        NO_ACTIVATION,
        out,
        0,
        1,
    )
    # Past the last column: what is in the row, times zero.
    assert not np.nan_to_num(out[:rows, N:]).any()
    return out[:, :N]


rows = st.integers(1, 20) | st.sampled_from([127, 128, 129, 137])


@pytest.mark.kernel
@given(M=rows, K=depths, N=sizes, adds=st.tuples(*[st.booleans()] * 2), data=st.data())
def test_bits_are_those_of_the_contract(M, K, N, adds, data):
    a, b = (data.draw(drawers())(*shape) for shape in ((M, K), (K, N)))
    make = data.draw(drawers())
    bias, residual = make(N) if adds[0] else None, make(M, N) if adds[1] else None
    added = [x for x in (bias, residual) if x is not None]
    assert_same_bits(multiply(a, b, bias, residual), exact.gemm(a, b, *added))


@pytest.mark.kernel
@given(M=st.integers(1, 9), K=st.integers(1, 70), N=sizes, data=st.data())
def test_bits_with_what_is_not_finite(M, K, N, data):
    """In the very elements where the contract has NaN and infinity."""
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    special = np.float32([np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, 1e-45])
    a, b = (random.standard_normal(shape).astype(np.float32) for shape in ((M, K), (K, N)))
    for x in (a, b):
        spoilt = random.random(x.shape) < 0.02
        x[spoilt] = random.choice(special, spoilt.sum())
    with np.errstate(all="ignore"):
        expected = exact.gemm(a, b)
    assert_same_bits(multiply(a, b), expected)


@pytest.mark.kernel
@given(M=rows, K=st.sampled_from([1, 3, 37, DEPTH + 1]), N=sizes, seed=st.integers(0, 99))
def test_bits_do_not_know_their_row_or_column(M, K, N, seed):
    """Whichever tile, panel and block an element falls into."""
    random = np.random.default_rng(seed)
    a, b = (random.standard_normal(shape).astype(np.float32) for shape in ((M, K), (K, N)))
    whole = multiply(a, b)
    down, across = random.permutation(M), random.permutation(N)
    assert_same_bits(multiply(a[down], b[:, across]), whole[down][:, across])
    few = random.integers(1, M + 1), random.integers(1, N + 1)
    assert_same_bits(multiply(a[: few[0]], b[:, : few[1]]), whole[: few[0], : few[1]])


@pytest.mark.kernel
@given(M=st.integers(0, 20), rows=st.integers(0, 20), N=sizes)
def test_rows_past_the_count_are_left_alone(M, rows, N):
    rows = min(M, rows)
    random = np.random.default_rng(0)
    a, b = (random.standard_normal(shape).astype(np.float32) for shape in ((M, 5), (5, N)))
    out = multiply(a, b, rows=rows)
    assert np.isnan(out[rows:]).all()
    assert_same_bits(out[:rows], exact.gemm(a, b)[:rows])


# -- parts and activations -------------------------------------------------------------------------

UNTOUCHED = np.uint32(0x7FC0BEEF).view(np.float32)
"""A NaN that no arithmetic makes."""

GELUS = {GELU_APPROXIMATE: gelu_approximate_kernel, GELU: gelu_kernel}


def in_parts(a, b, bias, residual, activation, parts):
    """What each of the parts writes into memory of its own."""
    (M, K), N = a.shape, b.shape[1]
    outs = np.full((parts, M, padded(N)), UNTOUCHED)
    added = (NOTHING if x is None else buffers.pad_columns(x) for x in (bias, residual))
    shape = (M, a, K, pack(b), N, *added, activation)
    for part, out in enumerate(outs):
        gemm_kernel(*shape, out, part, parts)
    return outs


def drawn(data, M, K, N):
    """Two factors, and maybe a bias and a residual."""
    a, b = (data.draw(drawers())(*shape) for shape in ((M, K), (K, N)))
    make, adds = data.draw(drawers()), data.draw(st.tuples(*[st.booleans()] * 2))
    return a, b, make(1, N) if adds[0] else None, make(M, N) if adds[1] else None


@pytest.mark.kernel
@given(M=rows, K=depths, N=st.integers(1, 300), parts=st.integers(1, 9), data=st.data())
def test_parts_cover_every_column_once_with_the_bits_of_the_whole(M, K, N, parts, data):
    a, b, bias, residual = drawn(data, M, K, N)
    outs = in_parts(a, b, bias, residual, NO_ACTIVATION, parts)
    touched = outs.view(np.uint32) != UNTOUCHED.view(np.uint32)  # (parts, M, padded N)
    assert (touched.sum(axis=0) == 1).all()
    assert (touched == touched[:, :1]).all()  # whole columns
    panels = -(-N // panel_columns())
    shares = [-(-columns // panel_columns()) for columns in touched[:, 0].sum(axis=1)]
    assert sum(shares) == panels
    assert max(shares) - min(shares) <= 1
    whole = outs[0].copy()
    for out, there in zip(outs, touched, strict=True):
        whole[there] = out[there]
    assert_same_bits(whole[:, :N], multiply(a, b, None if bias is None else bias[0], residual))
    assert not whole[:, N:].any()


@pytest.mark.kernel
@pytest.mark.parametrize("parts", [2, 3, 7, 100, 1024])
def test_more_parts_than_panels(parts):
    a, b = np.ones((5, 3), np.float32), np.ones((3, panel_columns() + 1), np.float32)
    outs = in_parts(a, b, None, None, NO_ACTIVATION, parts)
    assert (outs == 3).any(axis=(1, 2)).sum() == 2  # two panels, two parts that have one
    assert (outs == 3).sum() == 5 * b.shape[1]


@pytest.mark.kernel
@pytest.mark.parametrize("activation", GELUS)
@given(M=rows, K=depths, N=sizes, parts=st.integers(1, 3), data=st.data())
def test_a_fused_activation_has_the_bits_of_its_kernel(activation, M, K, N, parts, data):
    """Between bias and residual: each step of its own, rounded as it is alone."""
    a, b, bias, residual = drawn(data, M, K, N)
    if bias is None:
        bias = np.zeros((1, N), np.float32)
    expected = buffers.pad_columns(multiply(a, b, bias[0]))
    GELUS[activation](expected, expected)
    if residual is not None:
        with np.errstate(all="ignore"):
            expected[:, :N] += residual
    outs = in_parts(a, b, bias, residual, activation, parts)
    touched = outs.view(np.uint32) != UNTOUCHED.view(np.uint32)
    for out, there in zip(outs, touched, strict=True):
        assert_same_bits(out[there], expected[there])


@pytest.mark.kernel
@pytest.mark.parametrize("activation", GELUS)
@pytest.mark.parametrize("residual", [False, True])
def test_an_activation_needs_no_bias(activation, residual):
    random = np.random.default_rng(0)
    a, b, c = (np.float32(random.standard_normal(s)) for s in ((5, 7), (7, 19), (5, 19)))
    expected = buffers.pad_columns(multiply(a, b))
    GELUS[activation](expected, expected)
    (out,) = in_parts(a, b, None, c if residual else None, activation, 1)
    assert_same_bits(out[:, :19], expected[:, :19] + c if residual else expected[:, :19])


@pytest.mark.kernel
@pytest.mark.parametrize("K", [1, 20, 37, DEPTH + 1])
def test_columns_of_a_past_the_depth_are_not_looked_at(K):
    random = np.random.default_rng(0)
    a, b = (random.standard_normal(shape).astype(np.float32) for shape in ((5, K), (K, 19)))
    wide, out = np.full((5, padded(K) + 16), np.nan, np.float32), buffers.empty(5, 32)
    wide[:, :K] = a
    gemm_kernel(5, wide, K, pack(b), 19, NOTHING, NOTHING, NO_ACTIVATION, out, 0, 1)
    assert_same_bits(out[:, :19], exact.gemm(a, b))


@pytest.mark.kernel
@given(K=depths, N=st.integers(1, 150), data=st.data())
def test_unpack_is_the_inverse_of_pack(K, N, data):
    """Bit for bit: NaN payloads, subnormals and the sign of zero too."""
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    b = random.integers(0, 2**32, (K, N), dtype=np.uint32).view(np.float32)
    packed = pack(b)
    assert packed.size == K * padded(N)
    assert packed.ctypes.data % buffers.ALIGNMENT == 0
    back = unpack(packed, K, N)
    assert back.flags.c_contiguous
    assert np.array_equal(back.view(np.uint32), b.view(np.uint32))


@pytest.mark.kernel
def test_the_packed_layout():
    """Panel after panel, each ``[k][column]``; columns past the last are zeros."""
    wide = panel_columns()
    b = np.arange(3 * (wide + 5), dtype=np.float32).reshape(3, wide + 5)
    packed = pack(b)
    first, rest = packed[: 3 * wide].reshape(3, wide), packed[3 * wide :].reshape(3, 16)
    assert np.array_equal(first, b[:, :wide])
    assert np.array_equal(rest[:, :5], b[:, wide:])
    assert not rest[:, 5:].any()


@pytest.mark.kernel
def test_pack_takes_any_layout():
    b = np.random.default_rng(0).standard_normal((7, 19)).astype(np.float32)
    expected = pack(b)
    for same in (np.asfortranarray(b), np.repeat(b, 2, axis=1)[:, ::2], b[::-1, ::-1][::-1, ::-1]):
        assert_same_bits(pack(same), expected)


@pytest.mark.kernel
def test_a_shorter_cut_is_more_exact():
    """What the contract's cut is for."""
    random, K = np.random.default_rng(0), 3072
    a, b = (random.standard_normal(s).astype(np.float32) for s in ((8, K), (K, 48)))
    truth = np.float64(a) @ np.float64(b)
    chain = np.zeros((8, 48), np.float32)
    for k in range(K):
        chain = exact.fma(a[:, k, None], b[k], chain)
    error = [np.sqrt(np.square(x - truth).mean()) for x in (multiply(a, b), chain)]
    assert error[0] < error[1] / 2


def test_panels_follow_the_instruction_set(monkeypatch):
    from npbert.simd import isa

    for each in isa.ISAS.values():
        monkeypatch.setattr(isa, "current", lambda each=each: each)
        assert gemm.panel_columns() == 16 * each.tile_vectors
