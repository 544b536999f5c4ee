from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.checks import depths, drawers, sizes
from precisions import every, given_in_every, rounded
from simd import exact
from simd.exact import assert_same_bits

import npbert
from npbert.ops.gelu import gelu_approximate_kernel, gelu_kernel
from npbert.simd import buffers
from npbert.simd.buffers import padded
from npbert.simd.gemm import (
    DEPTH,
    GELU,
    GELU_APPROXIMATE,
    NO_ACTIVATION,
    gemm_kernel,
    product_kernel,
)
from npbert.simd.panels import pack, panel_columns
from npbert.simd.precision import BFLOAT16, FLOAT32


def test_the_cut_is_part_of_the_versioned_contract():
    """Another depth means other bits: then NUMERICS must grow, and this line with it."""
    assert (npbert.NUMERICS, DEPTH) == (1, 64)


@pytest.mark.parametrize("bits", [32, 64])
def test_the_oracle_itself_against_scalar_fmaf(bits):
    """Each element alone: chains of fmaf in ascending k, parts added in ascending order."""
    random, K, real = np.random.default_rng(0), 2 * DEPTH + 5, np.dtype(f"f{bits // 8}").type
    a, b = (random.standard_normal(s).astype(real) for s in ((2, K), (K, 3)))
    bias = random.standard_normal(3).astype(real)
    for m, n in np.ndindex(2, 3):
        parts = []
        for k in range(K):
            if k % DEPTH == 0:
                parts.append(real(0))
            parts[-1] = real(exact.c_fma(bits)(a[m, k], b[k, n], parts[-1]))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        assert_same_bits(exact.gemm(a, b, bias)[m, n], total + bias[n])


def test_the_oracle_rounds_after_the_bias_and_after_the_residual():
    """Half of bfloat16's 2^-7 is lost when it is added to 1, and lost again the second time."""
    one, half = np.float32([[1.0]]), np.float32([[2.0**-8]])
    assert exact.gemm(one, one, half[0], half, BFLOAT16) == 1
    assert exact.gemm(one, one, None, 3 * half, BFLOAT16) == 1 + 2.0**-6
    assert exact.gemm(one, one + half, None, None, BFLOAT16) == 1
    assert exact.gemm(one, one, half[0], half) == 1 + 2.0**-7


def multiply(a, b, bias=None, residual=None, rows=None, precision=FLOAT32):
    """The kernel, on buffers that are as large as they must be."""
    (M, K), N = a.shape, b.shape[1]
    rows = M if rows is None else rows
    out = np.full((M, padded(N)), np.nan, precision.real)
    nothing = out[:0]
    gemm_kernel[precision](
        rows,
        np.ascontiguousarray(a),
        K,
        pack(b, precision=precision),
        N,
        nothing if bias is None else buffers.pad_columns(bias[None]),
        nothing if residual is None else buffers.pad_columns(residual),
        NO_ACTIVATION,
        out,
        0,
        1,
    )
    # Past the last column: what is in the row, times zero.
    assert not np.nan_to_num(out[:rows, N:]).any()
    return out[:, :N]


rows = st.integers(1, 20) | st.sampled_from([127, 128, 129, 137])


def exactly(a, b, *added, precision):
    """The contract's bits, for the weights that are stored."""
    with np.errstate(all="ignore"):
        return exact.gemm(a, precision.weights(b), *added, precision=precision)


@given_in_every(M=rows, K=depths, N=sizes, adds=st.tuples(*[st.booleans()] * 2), data=st.data())
def test_bits_are_those_of_the_contract(precision, M, K, N, adds, data):
    a, b = (data.draw(drawers(precision))(*shape) for shape in ((M, K), (K, N)))
    make = data.draw(drawers(precision))
    bias = precision.weights(make(N)) if adds[0] else None
    residual = make(M, N) if adds[1] else None
    out = multiply(a, b, bias, residual, precision=precision)
    assert_same_bits(out, exactly(a, b, bias, residual, precision=precision))


@given_in_every(M=st.integers(1, 9), K=st.integers(1, 70), N=sizes, seed=st.integers(0, 99))
def test_bits_with_what_is_not_finite(precision, M, K, N, seed):
    """In the very elements where the contract has NaN and infinity; float16 weights are finite."""
    random, real = np.random.default_rng(seed), precision.real
    limits = np.finfo(real)
    special = np.array([0.0, -0.0, limits.smallest_subnormal, limits.max / 2], real)
    special = np.append(special, np.array([np.nan, np.inf, -np.inf], real))
    a, b = (random.standard_normal(shape).astype(real) for shape in ((M, K), (K, N)))
    for x in (a, b):
        spoilt = random.random(x.shape) < 0.02
        finite = x is b and precision.stored == "float16"
        x[spoilt] = random.choice(special[: 3 if finite else None], spoilt.sum())
    expected = exactly(rounded(a, precision), b, precision=precision)
    assert_same_bits(multiply(rounded(a, precision), b, precision=precision), expected)


@given_in_every(M=rows, K=st.sampled_from([1, 3, 37, DEPTH + 1]), N=sizes, seed=st.integers(0, 99))
def test_bits_do_not_know_their_row_or_column(precision, M, K, N, seed):
    """Whichever tile, panel and block an element falls into."""
    random = np.random.default_rng(seed)
    a, b = (random.standard_normal(shape).astype(precision.real) for shape in ((M, K), (K, N)))
    whole = multiply(a, b, precision=precision)
    down, across = random.permutation(M), random.permutation(N)
    other = multiply(a[down], b[:, across], precision=precision)
    assert_same_bits(other, whole[down][:, across])
    few = random.integers(1, M + 1), random.integers(1, N + 1)
    fewer = multiply(a[: few[0]], b[:, : few[1]], precision=precision)
    assert_same_bits(fewer, whole[: few[0], : few[1]])


@given_in_every(M=st.integers(0, 20), rows=st.integers(0, 20), N=sizes)
def test_rows_past_the_count_are_left_alone(precision, M, rows, N):
    rows = min(M, rows)
    random = np.random.default_rng(0)
    a, b = (random.standard_normal(shape).astype(precision.real) for shape in ((M, 5), (5, N)))
    out = multiply(a, b, rows=rows, precision=precision)
    assert np.isnan(out[rows:]).all()
    assert_same_bits(out[:rows], exactly(a, b, precision=precision)[:rows])


@pytest.mark.kernel
@every
def test_the_product_of_two_results_is_not_rounded_and_reads_plain_panels(precision):
    random = np.random.default_rng(0)
    a, b = (random.standard_normal(s).astype(precision.real) for s in ((5, 37), (37, 19)))
    out = buffers.empty(5, 32, dtype=precision.real)
    shape = (5, a, 37, pack(b, precision=precision.plain), 19, out[:0], out[:0])
    product_kernel[precision](*shape, NO_ACTIVATION, out, 0, 1)
    assert_same_bits(out[:, :19], exact.gemm(a, b))


# -- parts and activations -------------------------------------------------------------------------

UNTOUCHED = {4: np.uint32(0x7FC0BEEF), 8: np.uint64(0x7FF8DEADBEEFBEEF)}
"""The bits of a NaN that no arithmetic makes, of so many bytes."""

GELUS = {GELU_APPROXIMATE: gelu_approximate_kernel, GELU: gelu_kernel}


def in_parts(a, b, bias, residual, activation, parts, precision=FLOAT32):
    """What each of the parts writes into memory of its own, and where: (parts, M, padded N)."""
    (M, K), N = a.shape, b.shape[1]
    untouched = UNTOUCHED[a.itemsize]
    outs = np.full((parts, M, padded(N)), untouched).view(a.dtype)
    added = (outs[0, :0] if x is None else buffers.pad_columns(x) for x in (bias, residual))
    shape = (M, a, K, pack(b, precision=precision), N, *added, activation)
    for part, out in enumerate(outs):
        gemm_kernel[precision](*shape, out, part, parts)
    return outs, outs.view(untouched.dtype) != untouched


def drawn(data, M, K, N, precision):
    """Two factors, and maybe a bias and a residual."""
    a, b = (data.draw(drawers(precision))(*shape) for shape in ((M, K), (K, N)))
    make, adds = data.draw(drawers(precision)), data.draw(st.tuples(*[st.booleans()] * 2))
    return a, b, make(1, N) if adds[0] else None, make(M, N) if adds[1] else None


@given_in_every(M=rows, K=depths, N=st.integers(1, 300), parts=st.integers(1, 9), data=st.data())
def test_parts_cover_every_column_once_with_the_bits_of_the_whole(precision, M, K, N, parts, data):
    a, b, bias, residual = drawn(data, M, K, N, precision)
    outs, touched = in_parts(a, b, bias, residual, NO_ACTIVATION, parts, precision)
    assert (touched.sum(axis=0) == 1).all()
    assert (touched == touched[:, :1]).all()  # whole columns
    wide = panel_columns(precision)
    shares = [-(-columns // wide) for columns in touched[:, 0].sum(axis=1)]
    assert sum(shares) == -(-N // wide)
    assert max(shares) - min(shares) <= 1
    whole = outs[0].copy()
    for out, there in zip(outs, touched, strict=True):
        whole[there] = out[there]
    one = multiply(a, b, None if bias is None else bias[0], residual, precision=precision)
    assert_same_bits(whole[:, :N], one)
    assert not np.nan_to_num(whole[:, N:]).any()


@pytest.mark.kernel
@every
@pytest.mark.parametrize("parts", [2, 3, 7, 100, 1024])
def test_more_parts_than_panels(parts, precision):
    real = precision.real
    a, b = np.ones((5, 3), real), np.ones((3, panel_columns(precision) + 1), real)
    outs, _ = in_parts(a, b, None, None, NO_ACTIVATION, parts, precision)
    assert (outs == 3).any(axis=(1, 2)).sum() == 2  # two panels, two parts that have one
    assert (outs == 3).sum() == 5 * b.shape[1]


@pytest.mark.parametrize("activation", GELUS)
@given_in_every(M=rows, K=depths, N=sizes, parts=st.integers(1, 3), data=st.data())
def test_a_fused_activation_has_the_bits_of_its_kernel(activation, precision, M, K, N, parts, data):
    """Between bias and residual: each step of its own, rounded as it is alone."""
    a, b, bias, residual = drawn(data, M, K, N, precision)
    if bias is None:
        bias = np.zeros((1, N), a.dtype)
    expected = buffers.pad_columns(multiply(a, b, bias[0], precision=precision))
    GELUS[activation][precision](expected, expected)
    if residual is not None:
        with np.errstate(all="ignore"):
            expected[:, :N] = rounded(expected[:, :N] + residual, precision)
    outs, touched = in_parts(a, b, bias, residual, activation, parts, precision)
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
    ((out,), _) = in_parts(a, b, None, c if residual else None, activation, 1)
    assert_same_bits(out[:, :19], expected[:, :19] + c if residual else expected[:, :19])


@pytest.mark.kernel
@every
@pytest.mark.parametrize("K", [1, 20, 37, DEPTH + 1])
def test_columns_of_a_past_the_depth_are_not_looked_at(K, precision):
    random, real = np.random.default_rng(0), precision.real
    a, b = (random.standard_normal(shape).astype(real) for shape in ((5, K), (K, 19)))
    wide, out = np.full((5, padded(K) + 16), np.nan, real), buffers.empty(5, 32, dtype=real)
    wide[:, :K] = a
    shape = (5, wide, K, pack(b, precision=precision), 19, out[:0], out[:0])
    gemm_kernel[precision](*shape, NO_ACTIVATION, out, 0, 1)
    assert_same_bits(out[:, :19], exactly(a, b, precision=precision))


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
