"""A batch as a ragged list of rows: which tokens are computed, and which keys each one looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Plan:
    """R rows, sequence after sequence, without padding unless padding is to be computed.

    Sequence b is the rows ``row_starts[b] : row_starts[b + 1]``. Its keys, the rows that its mask
    keeps, are ``keys[key_starts[b] : key_starts[b + 1]]``. A position is a column of the batch,
    also after a hole in the mask or left padding.
    """

    token_ids: NDArray[np.int32]  # (R,)
    positions: NDArray[np.int32]  # (R,)
    segment_ids: NDArray[np.int32]  # (R,)
    row_starts: NDArray[np.int64]  # (B + 1,)
    keys: NDArray[np.int64]
    key_starts: NDArray[np.int64]  # (B + 1,)
    uniform: NDArray[np.bool_]  # (B,): nothing is kept, and Keras's fused path averages all keys
    sequences: NDArray[np.int64]  # (R,): the row of the batch that each ragged row belongs to

    @property
    def rows(self) -> int:
        """R."""
        return int(self.row_starts[-1])

    @property
    def batch(self) -> int:
        """B."""
        return len(self.uniform)

    @property
    def most_keys(self) -> int:
        """The keys of the sequence that has most."""
        return int(np.diff(self.key_starts).max(initial=0))

    def part(self, start: int, stop: int) -> Plan:
        """The sequences ``start : stop`` as a plan of their own; row and key numbers begin at 0."""
        if stop - start == self.batch:
            return self
        rows = slice(int(self.row_starts[start]), int(self.row_starts[stop]))
        keys = slice(int(self.key_starts[start]), int(self.key_starts[stop]))
        return Plan(
            self.token_ids[rows],
            self.positions[rows],
            self.segment_ids[rows],
            self.row_starts[start : stop + 1] - rows.start,
            self.keys[keys] - rows.start,
            self.key_starts[start : stop + 1] - keys.start,
            self.uniform[start:stop],
            self.sequences[rows],
        )

    def parts(self, rows: int) -> Iterator[tuple[int, int]]:
        """Cut into ranges of sequences with at most ``rows`` rows each (one sequence at least)."""
        start = 0
        while start < self.batch:
            reach = int(self.row_starts[start]) + rows
            stop = int(np.searchsorted(self.row_starts, reach, side="right")) - 1
            stop = max(stop, start + 1)
            yield start, stop
            start = stop


def plan_batch(
    token_ids: NDArray[np.int32],  # (B, T)
    segment_ids: NDArray[np.int32],  # (B, T)
    kept: NDArray[np.bool_],  # (B, T)
    *,
    skip_padding: bool,
    fused: bool,
) -> Plan:
    """The plan of a rectangular batch.

    With ``skip_padding`` only kept tokens become rows, and column 0, which the pooler reads. A
    sequence of which nothing is kept is computed in full either way.
    """
    nothing: NDArray[np.bool_] = np.logical_not(kept.any(axis=1))  # (B,)
    computed = np.ones_like(kept)
    if skip_padding:
        computed = kept | nothing[:, None]
        computed[:, :1] = True
    uniform = np.logical_and(nothing, fused)
    is_key = kept | uniform[:, None]
    cells = np.flatnonzero(computed)  # (R,): sequence * T + column
    sequences, columns = np.divmod(cells, kept.shape[1])
    return Plan(
        token_ids=token_ids.reshape(-1)[cells],
        positions=columns.astype(np.int32),
        segment_ids=segment_ids.reshape(-1)[cells],
        row_starts=_starts(computed.sum(axis=1)),
        keys=np.flatnonzero(is_key.reshape(-1)[cells]),
        key_starts=_starts(is_key.sum(axis=1)),
        uniform=uniform,
        sequences=sequences,
    )


def plan_sequences(
    sequences: Sequence[NDArray[np.int32]],
    segment_ids: Sequence[NDArray[np.int32]] | None = None,
    kept: Sequence[NDArray[np.bool_]] | None = None,
    *,
    fused: bool = False,
) -> Plan:
    """The plan of token ids that were never padded.

    Without segment ids, all are 0; without masks, every key is kept. Every token is computed.
    """
    lengths = np.array([len(each) for each in sequences], np.int64)
    rows = int(lengths.sum())
    starts = _starts(lengths)
    numbers = np.repeat(np.arange(len(lengths)), lengths)
    is_key = np.ones(rows, np.bool_)
    uniform = np.zeros(len(lengths), np.bool_)
    if kept is not None:
        uniform = np.array([fused and not each.any() for each in kept], np.bool_)
        is_key = _joined(kept).astype(np.bool_) | uniform[numbers]
    counts = np.bincount(numbers[is_key], minlength=len(lengths))
    return Plan(
        token_ids=_joined(sequences),
        positions=(np.arange(rows) - starts[numbers]).astype(np.int32),
        segment_ids=np.zeros(rows, np.int32) if segment_ids is None else _joined(segment_ids),
        row_starts=starts,
        keys=np.flatnonzero(is_key),
        key_starts=_starts(counts),
        uniform=uniform,
        sequences=numbers.astype(np.int64),
    )


def _joined(sequences: Sequence[NDArray[Any]]) -> NDArray[np.int32]:
    return np.concatenate([*sequences, np.empty(0, np.int32)]).astype(np.int32)


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts
