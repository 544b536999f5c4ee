"""Which texts are computed together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.errors import ConfigError
from npbert.tasks.batching import batches, check_count

LENGTHS = st.lists(st.integers(1, 50), max_size=40)


@given(LENGTHS, st.integers(1, 45), st.integers(1, 120))
def test_sorted_bounded_and_complete(lengths: list[int], size: int, tokens: int) -> None:
    found = [b.tolist() for b in batches(np.array(lengths, np.int64), size, tokens)]
    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    in_order = [lengths[i] for batch in found for i in batch]
    assert in_order == sorted(lengths, reverse=True)
    for batch in found:
        assert 1 <= len(batch) <= size
        assert len(batch) == 1 or sum(lengths[i] for i in batch) <= tokens


def test_equal_lengths_keep_their_order() -> None:
    lengths = np.array([3, 5, 3, 5, 3])
    assert [b.tolist() for b in batches(lengths, 2, 100)] == [[1, 3], [0, 2], [4]]


def test_counts() -> None:
    assert check_count("batch_size", 32) == 32
    for wrong in (0, -3, 2.0, True, None, "32"):
        with pytest.raises(ConfigError, match=r"batch_size must be an int of 1 or more") as caught:
            check_count("batch_size", wrong)
        assert caught.value.received == repr(wrong)
