"""Windows over a text that is too long, and the mean of their vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simd.exact import assert_same_bits

from npbert.errors import ConfigError
from npbert.ops import pooling
from npbert.simd import buffers
from npbert.tasks.chunks import cut, join

CLS, SEP = 2, 3


def sequence(length: int) -> np.ndarray:
    """[CLS], so many tokens, [SEP]."""
    return np.array([CLS, *range(100, 100 + length), SEP], np.int32)


def test_by_hand() -> None:
    windows = cut([sequence(3), sequence(8), sequence(0)], limit=5, lead=1)
    assert [ids.tolist() for ids in windows.ids] == [
        [CLS, 100, 101, 102, SEP],
        *([CLS, 100, 101, 102, SEP], [CLS, 103, 104, 105, SEP], [CLS, 106, 107, SEP]),
        [CLS, SEP],
    ]
    assert windows.starts.tolist() == [0, 1, 4, 5]
    assert windows.weights.tolist() == [3, 3, 3, 2, 0]


def test_every_window_begins_with_the_prompt() -> None:
    windows = cut([sequence(5)], limit=5, lead=3)
    assert [ids.tolist() for ids in windows.ids] == [
        [CLS, 100, 101, 102, SEP],
        [CLS, 100, 101, 103, SEP],
        [CLS, 100, 101, 104, SEP],
    ]
    assert windows.weights.tolist() == [1, 1, 1]


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(3, 20), st.data())
def test_nothing_is_lost_and_nothing_is_too_long(lengths, limit, data) -> None:
    lead = data.draw(st.integers(1, limit - 2))
    texts = [sequence(max(length, lead - 1)) for length in lengths]
    windows = cut(texts, limit, lead)
    assert all(len(ids) <= limit for ids in windows.ids)
    for text, start, stop in zip(texts, windows.starts, windows.starts[1:], strict=False):
        own = [ids[lead:-1] for ids in windows.ids[start:stop]]
        assert np.concatenate(own).tolist() == text[lead:-1].tolist()
        assert windows.weights[start:stop].tolist() == list(map(len, own))
        assert all(len(each) == limit - lead - 1 for each in own[:-1])


def test_a_prompt_that_fills_the_window() -> None:
    cut([sequence(5)], limit=7, lead=5)
    with pytest.raises(
        ConfigError, match=r"the prompt leaves no room[\s\S]*5 tokens[\s\S]*at most 4 "
    ):
        cut([sequence(5)], limit=7, lead=6)


@pytest.mark.kernel
@pytest.mark.parametrize("normalize", [True, False])
def test_join_is_the_weighted_mean(normalize: bool) -> None:
    windows = cut([sequence(3), sequence(8), sequence(0)], limit=5, lead=1)
    vectors = np.random.default_rng(0).standard_normal((5, 21)).astype(np.float32)
    out = join(buffers.pad_columns(vectors), windows, normalize=normalize)
    assert (out.shape, out[:, 21:].any()) == ((3, 32), False)
    assert_same_bits(out[[0, 2], :21], vectors[[0, 4]])
    mean = np.average(np.float64(vectors[1:4]), axis=0, weights=[3, 3, 2])
    expected = pooling.l2_normalize(mean[None])[0] if normalize else mean
    np.testing.assert_allclose(out[1, :21], expected, rtol=0, atol=1e-6)


def test_nothing_to_join() -> None:
    windows = cut([], limit=5, lead=1)
    assert join(buffers.zeros(0, 32), windows, normalize=True).shape == (0, 32)
