"""What is kept of several segments, and where it goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.errors import ConfigError
from npbert.text.packing import ALGORITHMS, pack, room, round_robin, waterfall

lengths = st.lists(st.integers(0, 40), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("share", "sizes", "budget", "kept"),
    [
        (round_robin, [6, 6], 7, [4, 3]),
        (round_robin, [6, 2], 7, [5, 2]),
        (round_robin, [2, 6], 7, [2, 5]),
        (round_robin, [6, 1, 6], 8, [4, 1, 3]),
        (round_robin, [3, 4], 9, [3, 4]),
        (round_robin, [0, 0], 5, [0, 0]),
        (round_robin, [5, 5, 5], 2, [1, 1, 0]),
        (waterfall, [6, 6], 7, [6, 1]),
        (waterfall, [6, 6], 5, [5, 0]),
        (waterfall, [3, 4], 9, [3, 4]),
    ],
)
def test_examples(share, sizes: list[int], budget: int, kept: list[int]) -> None:
    assert share(sizes, budget) == kept


@given(lengths, st.integers(0, 120))
def test_round_robin_is_one_token_in_turn(sizes: list[int], budget: int) -> None:
    kept = [0] * len(sizes)
    while budget and kept != sizes:
        for i, size in enumerate(sizes):
            if budget and kept[i] < size:
                kept[i] += 1
                budget -= 1
    assert round_robin(sizes, sum(kept) + budget) == kept


@given(lengths, st.integers(0, 120), st.sampled_from(sorted(ALGORITHMS)))
def test_nothing_that_fits_is_lost(sizes: list[int], budget: int, name: str) -> None:
    kept = ALGORITHMS[name](sizes, budget)
    assert sum(kept) == min(budget, sum(sizes))
    assert all(0 <= k <= size for k, size in zip(kept, sizes, strict=True))


def test_a_pair() -> None:
    packed = pack([[11, 12, 13], [21, 22]], 7, round_robin, start=1, end=2)
    assert packed.ids == [1, 11, 12, 2, 21, 22, 2]
    assert packed.segment_ids == [0, 0, 0, 0, 1, 1, 1]
    assert packed.full_length == 8


def test_three_segments_and_an_empty_one() -> None:
    packed = pack([[], [21], [31, 32]], 11, waterfall, start=1, end=2)
    assert packed.ids == [1, 2, 21, 2, 31, 32, 2]
    assert packed.segment_ids == [0, 0, 1, 1, 2, 2, 2]
    assert packed.full_length == 7


def test_room() -> None:
    assert room(7, 1) == 5
    assert room(3, 2) == 0
    with pytest.raises(ConfigError, match=r"no room for the special tokens[\s\S]*3 or more"):
        room(2, 2)
