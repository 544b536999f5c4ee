from __future__ import annotations

import numpy as np
import pytest
import tolerances
from hypothesis import strategies as st
from ops.bounds import Bounds
from ops.checks import check, compiled, depths, dimensions, drawers
from precisions import every, given_in_every
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.dense import dense, dense_heads, join_heads


def test_by_hand():
    x, kernel = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    assert dense(x, kernel, np.array([0.5, -0.5])).tolist() == [[14.5, 139.5]]


def test_heads_are_keras_s_einsums():
    """keras_hub BertBackbone: "abc,cde->abde" in, "abcd,cde->abe" out."""
    B, T, D, N, H = 2, 5, 12, 3, 4
    random = np.random.default_rng(0)
    x, kernel = random.standard_normal((B, T, D)), random.standard_normal((D, N, H))
    bias = random.standard_normal((N, H))
    expected = np.einsum("abc,cde->abde", x, kernel) + bias
    split = dense_heads(x, kernel, bias)
    assert split.shape == (B, T, N, H)
    size = np.einsum("abc,cde->abde", abs(x), abs(kernel)) + abs(bias)
    assert_within(split, expected, tolerances.definition(size))

    back, bias = random.standard_normal((N, H, D)), random.standard_normal(D)
    expected = np.einsum("abcd,cde->abe", split, back) + bias
    size = np.einsum("abcd,cde->abe", abs(split), abs(back)) + abs(bias)
    assert_within(join_heads(split, back, bias), expected, tolerances.definition(size))


@given_in_every(data=st.data())
def test_kernel(precision, data):
    B, T, M = data.draw(dimensions(3))
    K = data.draw(depths.filter(lambda K: K not in (B, T, M)))
    x, kernel, bias = (make(*shape) for make, shape in zip(
        data.draw(st.tuples(*[drawers(precision)] * 3)), ((B, T, K), (K, M), (M,))
    ))  # fmt: skip
    kernel, bias = precision.weights(kernel), precision.weights(bias)
    bound = Bounds(precision).gemm(x, kernel, np.broadcast_to(bias, (B, T, M)))
    check("dense", x, kernel, bias, bound=bound, precision=precision)


@given_in_every(data=st.data(), K=depths)
def test_a_row_does_not_know_the_others(precision, data, K):
    R, M = data.draw(dimensions(2))
    make = data.draw(drawers(precision))
    x, kernel, bias = make(R, K), make(K, M), make(M)
    whole = compiled("dense", x, kernel, bias, precision=precision)
    for row in range(0, R, 7):
        alone = compiled("dense", x[row : row + 1], kernel, bias, precision=precision)
        assert_same_bits(alone[0], whole[row])


@pytest.mark.kernel
@every
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_goes_through_and_stays_in_its_row(bad, precision):
    random, real = np.random.default_rng(0), precision.real
    x, kernel = random.standard_normal((9, 37)).astype(real), np.ones((37, 21), real)
    bias = np.zeros(21, real)
    clean = compiled("dense", x, kernel, bias, precision=precision)
    x[4, 36] = bad
    out = compiled("dense", x, kernel, bias, precision=precision)
    assert_same_bits(out[4], np.full(21, bad, real))
    others = np.arange(9) != 4
    assert_same_bits(out[others], clean[others])
