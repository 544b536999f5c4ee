"""What both sides are run on: one batch, whoever makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from npbert.errors import InputError
from npbert.parity.types import Array, Inputs, Source, Tokens

MOST_POSITIONS: Final = 2048
"""B x T of a batch that is made of texts: the stages of a model are many times as large."""

_PAIRS: Final = 2
_DRAWN: Final = (4, 16)


class Batch(NamedTuple):
    """Inputs, and where they are from."""

    inputs: Inputs
    notes: tuple[str, ...] = ()


def given(inputs: Inputs) -> Batch:
    """What the caller brought.

    Raises:
        InputError: an array is missing, or they are not of one shape (B, T).
    """
    names = ("token_ids", "segment_ids", "padding_mask")
    shapes = {name: np.shape(inputs[name]) for name in names if name in inputs}
    if len(shapes) < len(names) or len(set(shapes.values())) > 1 or len(shapes["token_ids"]) != 2:
        raise InputError(
            "the inputs of a comparison are three arrays of one shape.",
            received=", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "none",
            expected=", ".join(f"{name} (B, T)" for name in names),
        )
    return Batch({name: np.asarray(inputs[name]) for name in names})


def recorded(a: Source, b: Source) -> Batch | None:
    """What a side was recorded with; None if neither is a record.

    Raises:
        InputError: both are, of different inputs.
    """
    sides = [source for source in (a, b) if source.recorded is not None]
    batches = [given(source.recorded).inputs for source in sides if source.recorded is not None]
    if not batches:
        return None
    for name, array in batches[0].items():
        if not all(np.array_equal(array, other[name]) for other in batches):
            raise InputError(
                "the two sides were recorded with different inputs.",
                where=name,
                received=f"{sides[0].name} and {sides[1].name}",
                fix="record one of them again, on the inputs of the other",
            )
    return Batch(batches[0], (f"the inputs are those that {sides[0].name} was recorded with",))


def of_one(source: Source, tokens: Tokens | None, most: int) -> Batch | None:
    """What one side is run on by itself; None if it does not say what its ids are.

    Args:
        source: which one.
        tokens: what it made of some texts.
        most: B x T, as in `from_tokens`.
    """
    if source.recorded is not None:
        return given(source.recorded)
    longest = None if source.config is None else source.config.max_sequence_length
    if tokens is not None and len(tokens.ids):
        return from_tokens(tokens, source.name, longest, most)
    if source.config is None or longest is None:
        return None
    return drawn(source.config.vocabulary_size, longest, source.config.num_segments)


def texts_of(*sources: Source) -> Sequence[str] | None:
    """The texts that a record among the sources has the tokens or the vectors of."""
    return next((texts for each in sources if (texts := getattr(each, "texts", None))), None)


def from_tokens(
    tokens: Tokens, name: str, longest: int | None, most: int = MOST_POSITIONS
) -> Batch:
    """The texts that fit, and pairs of the first ones, so that there is a second segment.

    Args:
        tokens: of some texts, with the special tokens.
        name: of the side that they are from.
        longest: the most tokens that both sides take, where they say so.
        most: B x T, unless the shortest text is longer.
    """
    segments = tokens.segment_ids or [[0] * len(row) for row in tokens.ids]
    rows = [(list(ids), list(kinds)) for ids, kinds in zip(tokens.ids, segments)]
    short = _that_fit(rows, longest, most)
    notes = [f"the inputs are the texts as {name} tokenizes them"]
    if len(short) < len(rows):
        left = len(rows) - len(short)
        notes.append(f"{left} of {len(rows)} texts are too long to be run stage by stage")
    limit = max(len(ids) for ids, _ in short)
    pairs = [_pair(*two) for two in zip(short[::2], short[1::2])]
    fitting = [pair for pair in pairs if len(pair[0]) <= limit]
    return Batch(padded([*short, *fitting[:_PAIRS]]), tuple(notes))


def drawn(vocabulary_size: int, longest: int, num_segments: int = 1) -> Batch:
    """Random ids, for sides without a tokenizer: the same ones each time.

    Every second row has a second segment, where the model has one.
    """
    B, T = _DRAWN
    random = np.random.default_rng(0)
    lengths = random.integers(1, min(T, longest), B, endpoint=True)
    rows = []
    for i, n in enumerate(lengths.tolist()):
        second = n // 2 if i % 2 and num_segments > 1 else 0
        ids = random.integers(0, vocabulary_size, n).tolist()
        rows.append((ids, [0] * (n - second) + [1] * second))
    return Batch(padded(rows), ("no side has a tokenizer: the token ids are drawn at random",))


Row = tuple[list[int], list[int]]  # ids and segments


def _that_fit(rows: Sequence[Row], longest: int | None, most: int) -> list[Row]:
    """As many as make a batch of ``most`` positions, in their order; the shortest, if none does."""
    taken = sorted(len(ids) for ids, _ in rows)
    limit = taken[0]
    for count, length in enumerate(taken, 1):
        if (count + _PAIRS) * length <= most and length <= (longest or length):
            limit = length
    return [row for row in rows if len(row[0]) <= limit]


def _pair(a: Row, b: Row) -> Row:
    """``[CLS] a [SEP] b [SEP]``"""
    return a[0] + b[0][1:], a[1] + [1] * (len(b[0]) - 1)


def padded(rows: Sequence[Row]) -> dict[str, Array]:
    B, T = len(rows), max(len(ids) for ids, _ in rows)
    names = ("token_ids", "segment_ids", "padding_mask")
    inputs = {name: np.zeros((B, T), np.int32) for name in names}
    for b, (ids, segments) in enumerate(rows):
        for name, values in zip(names, (ids, segments, [1] * len(ids))):
            inputs[name][b, : len(ids)] = values
    return inputs
