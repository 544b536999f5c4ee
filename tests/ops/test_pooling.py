from __future__ import annotations

from itertools import pairwise

import contract_oracle
import numpy as np
import pytest
import tolerances
from hypothesis import strategies as st
from ops.bounds import Bounds
from ops.checks import check, compiled, dimensions, drawers
from precisions import every, given_in_every, rounded
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.pooling import (
    POOLINGS,
    cls_pool,
    l2_normalize,
    l2_normalize_kernel,
    last_token_pool,
    max_pool,
    mean_pool,
    mean_sqrt_len_pool,
    pool,
    weighted_mean,
    weighted_mean_pool,
)
from npbert.simd import buffers

TOKENS = np.array([[1.0, -2.0], [3.0, -4.0], [8.0, 9.0]])
STARTS = np.array([0, 2, 2, 3])  # two rows, none, one
SUMS = ("mean_pool", "mean_sqrt_len_pool", "weighted_mean_pool")


@st.composite
def spans(draw, rows):
    """Where texts start in so many rows; empty texts too."""
    inner = draw(st.lists(st.integers(0, rows), max_size=6))
    return np.array([0, *sorted(inner), rows])


def weights_of(name, rows, skip):
    """What each row counts, and what their sum is divided by."""
    numbers = np.arange(skip + 1, skip + rows + 1)
    weights = numbers if name == "weighted_mean_pool" else np.ones(rows)
    total = max(weights.sum(), 1)
    return weights, np.sqrt(total) if name == "mean_sqrt_len_pool" else total


def test_mean_pool_by_hand():
    assert mean_pool(TOKENS, STARTS).tolist() == [[2, -3], [0, 0], [8, 9]]
    assert mean_pool(TOKENS, STARTS, 1).tolist() == [[3, -4], [0, 0], [0, 0]]


def test_mean_sqrt_len_pool_by_hand():
    four = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert mean_sqrt_len_pool(four, np.array([0, 4, 4])).tolist() == [[5], [0]]
    assert mean_sqrt_len_pool(four, np.array([0, 4]), 3).tolist() == [[4]]


def test_weighted_mean_pool_by_hand():
    """Rows keep their numbers where the first are left out."""
    expected = [[7 / 3, -10 / 3], [0, 0], [8, 9]]
    np.testing.assert_allclose(weighted_mean_pool(TOKENS, STARTS), expected, rtol=1e-15)
    rows = np.array([[9.0], [2.0], [7.0]])
    assert weighted_mean_pool(rows, np.array([0, 3]), 1).tolist() == [[(2 * 2 + 3 * 7) / 5]]


def test_max_pool_by_hand():
    assert max_pool(TOKENS, STARTS).tolist() == [[3, -2], [-np.inf, -np.inf], [8, 9]]
    assert max_pool(TOKENS, STARTS, 1).tolist() == [[3, -4], [-np.inf] * 2, [-np.inf] * 2]


def test_picked_rows_by_hand():
    assert cls_pool(TOKENS, STARTS).tolist() == [[1, -2], [0, 0], [8, 9]]
    assert cls_pool(TOKENS, STARTS, 1).tolist() == [[3, -4], [0, 0], [8, 9]]
    assert last_token_pool(TOKENS, STARTS).tolist() == [[3, -4], [0, 0], [8, 9]]
    assert last_token_pool(TOKENS, STARTS, 1).tolist() == [[3, -4], [0, 0], [0, 0]]


def test_l2_normalize_by_hand():
    """Below 1e-12 the length is taken for 1e-12, as torch.nn.functional.normalize does."""
    out = l2_normalize(np.array([[3.0, -4.0], [0.0, 0.0], [3e-14, 4e-14]]))
    expected = np.array([[0.6, -0.8], [0, 0], [0.03, 0.04]])
    assert_within(out, expected, tolerances.definition(expected))


@pytest.mark.parametrize("mode", POOLINGS)
def test_no_texts(mode):
    assert POOLINGS[mode](np.zeros((0, 3)), np.array([0])).shape == (0, 3)


@pytest.mark.parametrize("name", SUMS)
@given_in_every(data=st.data())
def test_sum_pool_kernel(name, precision, data):
    R, D = data.draw(dimensions(2))
    tokens, starts = data.draw(drawers(precision))(R, D), data.draw(spans(R))
    skip, bounds = data.draw(st.integers(0, 3)), Bounds(precision)
    texts = [tokens[min(a + skip, b) : b] for a, b in pairwise(starts)]
    bound = [bounds.weighted_sum(x, *weights_of(name, len(x), skip)) for x in texts]
    check(name, tokens, starts, skip=skip, bound=np.array(bound), precision=precision)


@pytest.mark.kernel
@pytest.mark.parametrize("name", SUMS)
def test_bits_of_the_contract(name):
    tokens = np.float32(np.random.default_rng(4).standard_normal((9, 21)))
    out = compiled(name, tokens, np.array([0, 2, 9]), 1)
    for rows, row in ((tokens[1:2], out[0]), (tokens[3:9], out[1])):
        weights, divisor = weights_of(name, len(rows), 1)
        divisor = float(np.float32(divisor))
        expected = contract_oracle.weighted_sum(rows.tolist(), weights.tolist(), divisor)
        assert_same_bits(row, np.float32(expected))


@given_in_every(data=st.data())
def test_max_pool_kernel(precision, data):
    R, D = data.draw(dimensions(2))
    tokens, starts = data.draw(drawers(precision))(R, D), data.draw(spans(R))
    skip = data.draw(st.integers(0, 3))
    check("max_pool", tokens, starts, skip=skip, bound=0, precision=precision)


@pytest.mark.kernel
@pytest.mark.parametrize("mode", ["cls", "lasttoken"])
def test_picked_rows_are_copied(mode):
    tokens = buffers.pad_columns(np.float32(TOKENS))
    out = buffers.empty(3, 16)
    pool(mode, tokens, STARTS, out, 1)
    assert_same_bits(out[:, :2], np.float32(POOLINGS[mode](TOKENS, STARTS, 1)))


@pytest.mark.kernel
@every
def test_weighted_mean(precision):
    rows = buffers.pad_columns(TOKENS, precision.real)
    out = buffers.empty(2, 16, dtype=precision.real)
    begins, ends = np.array([0, 3]), np.array([3, 3])
    weighted_mean(rows, np.array([1, 3, 4]), begins, ends, out, precision)
    assert out[:, :2].tolist() == [[(1 + 9 + 32) / 8, (-2 - 12 + 36) / 8], [0, 0]]


@pytest.mark.parametrize("name", [*SUMS, "max_pool"])
@given_in_every(data=st.data())
def test_a_text_does_not_know_the_others(name, precision, data):
    R, D = data.draw(dimensions(2))
    tokens, starts = data.draw(drawers(precision))(R, D), data.draw(spans(R))
    whole = compiled(name, tokens, starts, precision=precision)
    for b, (start, stop) in enumerate(pairwise(starts)):
        one = tokens[start:stop], np.array([0, stop - start])
        assert_same_bits(compiled(name, *one, precision=precision)[0], whole[b])


@pytest.mark.kernel
@pytest.mark.parametrize("name", [*SUMS, "max_pool"])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_nan_goes_through_from_any_row_and_stays_in_its_text_and_column(name, row):
    tokens = np.float32(np.random.default_rng(0).standard_normal((5, 21)))
    tokens[row, 17] = np.nan
    out = compiled(name, tokens, np.array([0, 3, 5]))
    expected = np.zeros((2, 21), bool)
    expected[0, 17] = True
    assert np.array_equal(np.isnan(out), expected)


@pytest.mark.kernel
def test_infinity_goes_through():
    tokens = np.float32([[np.inf, -np.inf, 1], [2, 3, -np.inf]])
    starts = np.array([0, 2])
    for name in (*SUMS, "max_pool"):
        check(name, tokens, starts, bound=0 if name != "mean_sqrt_len_pool" else 1e-6)


@given_in_every(data=st.data(), factor=st.sampled_from([1.0, 1e-12, 1e-8, 1e8]))
def test_l2_normalize_kernel(precision, data, factor):
    B, D = data.draw(dimensions(2))
    factor = 1.0 if precision.rounded == "float16" else factor
    x = rounded(data.draw(drawers(precision))(B, D) * precision.real_dtype.type(factor), precision)
    check("l2_normalize", x, bound=Bounds(precision).l2_normalize(x), precision=precision)


@given_in_every(data=st.data())
def test_a_normalised_row_does_not_know_the_others(precision, data):
    B, D = data.draw(dimensions(2))
    x = data.draw(drawers(precision))(B, D)
    whole = compiled("l2_normalize", x, precision=precision)
    for row in range(B):
        alone = compiled("l2_normalize", x[row : row + 1], precision=precision)
        assert_same_bits(alone[0], whole[row])


@pytest.mark.kernel
def test_bits_of_a_normalised_row():
    x = np.float32(np.random.default_rng(5).standard_normal((3, 37)))
    expected = np.float32([contract_oracle.unit(row) for row in x.tolist()])
    assert_same_bits(compiled("l2_normalize", x), expected)


@pytest.mark.kernel
def test_l2_normalize_of_nan():
    x = np.float32(np.random.default_rng(0).standard_normal((3, 21)))
    x[1, 20] = np.nan
    out = compiled("l2_normalize", x)
    assert np.isnan(out[1]).all()
    assert np.isfinite(out[[0, 2]]).all()


@pytest.mark.kernel
def test_l2_normalize_in_place_and_padding():
    x = buffers.pad_columns(np.float32(np.random.default_rng(0).standard_normal((5, 21))))
    out = buffers.empty(5, 32)
    l2_normalize_kernel(x, out)
    l2_normalize_kernel(x, x)
    assert_same_bits(x, out)
    assert not out[:, 21:].any()
