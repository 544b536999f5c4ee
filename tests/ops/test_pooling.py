from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import tolerances
from hypothesis import given
from hypothesis import strategies as st
from ops.checks import check, compiled, dimensions, drawers
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.pooling import l2_normalize, l2_normalize_kernel, max_pool, mean_pool
from npbert.simd import buffers

TOKENS = np.array([[1.0, -2.0], [3.0, -4.0], [8.0, 9.0]])
STARTS = np.array([0, 2, 2, 3])  # two rows, none, one


@st.composite
def spans(draw, rows):
    """Where texts start in so many rows; empty texts too."""
    inner = draw(st.lists(st.integers(0, rows), max_size=6))
    return np.array([0, *sorted(inner), rows])


def test_mean_pool_by_hand():
    assert mean_pool(TOKENS, STARTS).tolist() == [[2, -3], [0, 0], [8, 9]]


def test_max_pool_by_hand():
    assert max_pool(TOKENS, STARTS).tolist() == [[3, -2], [-np.inf, -np.inf], [8, 9]]


def test_l2_normalize_by_hand():
    """Below 1e-12 the length is taken for 1e-12, as torch.nn.functional.normalize does."""
    out = l2_normalize(np.array([[3.0, -4.0], [0.0, 0.0], [3e-14, 4e-14]]))
    expected = np.array([[0.6, -0.8], [0, 0], [0.03, 0.04]])
    assert_within(out, expected, tolerances.definition(expected))


@pytest.mark.parametrize("pool", [mean_pool, max_pool])
def test_no_texts(pool):
    assert pool(np.zeros((0, 3)), np.array([0])).shape == (0, 3)


@pytest.mark.kernel
@given(data=st.data())
def test_mean_pool_kernel(data):
    R, D = data.draw(dimensions(2))
    tokens, starts = data.draw(drawers())(R, D), data.draw(spans(R))
    texts = [tokens[a:b] for a, b in pairwise(starts)]
    bound = [tolerances.mean(x) if len(x) else np.zeros(D) for x in texts]
    check("mean_pool", tokens, starts, bound=np.array(bound))


@pytest.mark.kernel
@given(data=st.data())
def test_max_pool_kernel(data):
    R, D = data.draw(dimensions(2))
    tokens, starts = data.draw(drawers())(R, D), data.draw(spans(R))
    check("max_pool", tokens, starts, bound=0)


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["mean_pool", "max_pool"])
@given(data=st.data())
def test_a_text_does_not_know_the_others(name, data):
    R, D = data.draw(dimensions(2))
    tokens, starts = data.draw(drawers())(R, D), data.draw(spans(R))
    whole = compiled(name, tokens, starts)
    for b, (start, stop) in enumerate(pairwise(starts)):
        alone = compiled(name, tokens[start:stop], np.array([0, stop - start]))
        assert_same_bits(alone[0], whole[b])


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["mean_pool", "max_pool"])
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
    check("mean_pool", tokens, starts, bound=0)
    check("max_pool", tokens, starts, bound=0)


@pytest.mark.kernel
@given(data=st.data(), factor=st.sampled_from([1.0, 1e-12, 1e-8, 1e8]))
def test_l2_normalize_kernel(data, factor):
    B, D = data.draw(dimensions(2))
    x = data.draw(drawers())(B, D) * np.float32(factor)
    check("l2_normalize", x, bound=tolerances.l2_normalize(x))


@pytest.mark.kernel
@given(st.data())
def test_a_normalised_row_does_not_know_the_others(data):
    B, D = data.draw(dimensions(2))
    x = data.draw(drawers())(B, D)
    whole = compiled("l2_normalize", x)
    for row in range(B):
        assert_same_bits(compiled("l2_normalize", x[row : row + 1])[0], whole[row])


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
