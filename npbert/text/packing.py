"""Segments to one sequence of tokens: [CLS] first, [SEP] after each, what is too long cut.

Source: keras_hub/src/layers/preprocessing/multi_segment_packer.py, ``MultiSegmentPacker``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from npbert.errors import ConfigError

Share = Callable[[Sequence[int], int], list[int]]
"""(lengths of the segments, tokens that fit) -> tokens of each that are kept, from its start."""


def round_robin(lengths: Sequence[int], budget: int) -> list[int]:
    """One token to each segment that has more, in turn, until the budget is spent."""
    kept = [0] * len(lengths)
    budget = min(budget, sum(lengths))
    while budget:
        hungry = [i for i, length in enumerate(lengths) if kept[i] < length]
        turns = min(budget // len(hungry), min(lengths[i] - kept[i] for i in hungry))
        takers = hungry if turns else hungry[:budget]
        for i in takers:
            kept[i] += turns or 1
        budget -= len(takers) * (turns or 1)
    return kept


def waterfall(lengths: Sequence[int], budget: int) -> list[int]:
    """As much of the first segment as fits, then of the next."""
    kept: list[int] = []
    for length in lengths:
        kept.append(min(length, budget))
        budget -= kept[-1]
    return kept


ALGORITHMS: Final[dict[str, Share]] = {"round_robin": round_robin, "waterfall": waterfall}


class Packed(NamedTuple):
    """One sequence, not filled up.

    Args:
        ids: token ids, special tokens included.
        segment_ids: as many: i for segment i and the token that ends it.
        full_length: how many there are without the cut.
    """

    ids: list[int]
    segment_ids: list[int]
    full_length: int


def pack(
    segments: Sequence[Sequence[int]], length: int, share: Share, *, start: int, end: int
) -> Packed:
    """One sequence of at most ``length`` tokens.

    Args:
        segments: the token ids of each.
        length: the most tokens.
        share: how the segments share what is left beside the special tokens.
        start: the id before all.
        end: the id after each segment.

    Raises:
        ConfigError: ``length`` has no room for the special tokens.
    """
    lengths = [len(segment) for segment in segments]
    ids, segment_ids = [start], [0]
    for i, (segment, kept) in enumerate(zip(segments, share(lengths, room(length, len(segments))))):
        ids += segment[:kept]
        ids.append(end)
        segment_ids += [i] * (kept + 1)
    return Packed(ids, segment_ids, sum(lengths) + 1 + len(segments))


def room(length: int, segments: int) -> int:
    """The tokens that fit into ``length`` beside [CLS] and the [SEP] of each segment.

    Raises:
        ConfigError: not even those fit.
    """
    if length > segments:
        return length - 1 - segments
    raise ConfigError(
        "the length has no room for the special tokens.",
        received=f"{length} tokens, {segments} segment{'s' * (segments > 1)}",
        expected=f"{1 + segments} or more",
    )
