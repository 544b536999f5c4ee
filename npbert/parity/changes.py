"""The ways to run a source that should make no difference to its numbers, and what they do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.backbone import BertBackbone
from npbert.parity.budget import place
from npbert.parity.difference import difference, kept_positions
from npbert.parity.sources.base import imported
from npbert.parity.sources.of_npbert import NpbertSource
from npbert.parity.sources.of_torch import TorchSource
from npbert.parity.types import Array, Inputs, Source, Stages

PADDING: Final = 7
THREADS: Final = (1, 2, 3)
_BY_KEYS: Final = ("scores", "probs")

Rows = NDArray[np.intp]


@dataclasses.dataclass(frozen=True)
class Change:
    """What one change does to the source's numbers, padded positions left out."""

    what: str
    """``"batch size"``, ``"order"``, ``"padding"``, ``"threads"``, ``"repeated runs"``."""
    how: str
    stages: int
    """So many were compared."""
    bit_equal: bool
    first: str | None = None
    """The first stage that is not bit-equal, in the order of the forward pass."""
    stage: str | None = None
    """Where the difference is largest."""
    max_abs: float = 0.0
    ulp_max: float = 0.0
    """The most units in the last place, at any stage."""


class _Seen(NamedTuple):
    """One run's stages, and which rows and positions of the first run they are of."""

    stages: Stages
    rows: Rows | None = None
    tokens: int | None = None


class Tried:
    """One source, what it gives at first, and every change to that."""

    def __init__(self, source: Source, inputs: Inputs | None, texts: Sequence[str]) -> None:
        self.source, self.inputs, self.texts = source, inputs, list(texts)
        self.notes: list[str] = []
        self.base = self._all(source)

    def repeated(self) -> Change:
        """Twice more, on the same."""
        again = [_Seen(self._all(self.source)) for _ in range(2)]
        return self._change("repeated runs", "the same batch three times", again)

    def alone(self) -> Change:
        """Each row and each text by itself."""
        seen = [_Seen(self._run(self.source, np.array([b])), np.array([b])) for b in self._rows()]
        for i, text in enumerate(self.texts):
            seen.append(_Seen(self._encode(self.source, [text]), np.array([i])))
        return self._change("batch size", "each row by itself", seen)

    def reversed(self) -> Change:
        """All rows in the reverse order."""
        rows, places = self._rows()[::-1], np.arange(len(self.texts))[::-1]
        seen = [_Seen(self._run(self.source, rows), rows)]
        seen.append(_Seen(self._encode(self.source, self.texts[::-1]), places))
        return self._change("order", "the rows in reverse", seen)

    def padding(self) -> Iterator[Change]:
        """Every row with more padding, and with none."""
        if self.inputs is None:
            self.notes.append("no ids to pad: the source takes texts alone")
            return
        T = self.inputs["token_ids"].shape[1]
        longest = self.source.config.max_sequence_length if self.source.config else T + PADDING
        more = min(PADDING, longest - T)
        # Attention of a row of which nothing is kept is spread over its padding: it does change.
        rows = np.flatnonzero(np.asarray(self.inputs["padding_mask"]).any(axis=1))
        if more > 0:
            wider = [_Seen(self._run(self.source, rows, T + more), rows)]
            yield self._change("padding", f"from {T} to {T + more} columns", wider)
        else:
            self.notes.append(f"{T} tokens are the most that the model takes: no room for padding")
        lengths = [int(np.flatnonzero(self.inputs["padding_mask"][b])[-1]) + 1 for b in rows]
        cut = [
            _Seen(self._run(self.source, np.array([b]), length), np.array([b]), length)
            for b, length in zip(rows, lengths)
        ]
        yield self._change("padding", "each row by itself, without any", cut)

    def threads(self) -> Iterator[Change]:
        """Other numbers of threads, where they can be set."""
        counted: dict[int, Stages] = {}
        for threads in THREADS:
            with _with_threads(self.source, threads) as source:
                if source is None:
                    kind = self.source.kind
                    self.notes.append(f"the threads of a source of kind {kind!r} cannot be set")
                    return
                counted[threads] = self._all(source)
        how = f"{', '.join(map(str, THREADS))} of them"
        yield self._change("threads", how, map(_Seen, counted.values()))

    def _rows(self) -> Rows:
        return np.arange(0 if self.inputs is None else len(self.inputs["token_ids"]))

    def _all(self, source: Source) -> dict[str, Array]:
        return {**self._run(source, self._rows()), **self._encode(source, self.texts)}

    def _run(self, source: Source, rows: Rows, tokens: int | None = None) -> dict[str, Array]:
        """The stages of some rows, with so many columns."""
        if self.inputs is None:
            return {}
        some = {name: _columns(np.asarray(x)[rows], tokens) for name, x in self.inputs.items()}
        return {stage: np.array(value) for stage, value in source.run(some).items()}

    def _encode(self, source: Source, texts: list[str]) -> dict[str, Array]:
        found = source.encode(texts) if texts else None
        return {stage: np.array(value) for stage, value in (found or {}).items()}

    def _change(self, what: str, how: str, seen: Iterable[_Seen]) -> Change:
        """All of these runs against the first one."""
        largest: dict[str, tuple[float, float]] = {}
        different: set[str] = set()
        for each in seen:
            for stage, value in each.stages.items():
                pair = self._pair(stage, value, each)
                largest[stage] = max(largest.get(stage, (0.0, 0.0)), _distance(*pair))
                if not _same_bits(*pair):
                    different.add(stage)
        if not different:
            return Change(what, how, len(largest), True)
        worst = max(largest, key=lambda stage: largest[stage])
        ulps = max(ulp for _, ulp in largest.values())
        first = min(different, key=place)
        return Change(what, how, len(largest), False, first, worst, largest[worst][0], ulps)

    def _pair(self, stage: str, value: Array, seen: _Seen) -> tuple[Array, Array]:
        """What counts of a stage: of the first run, and of this one."""
        base = self.base[stage]
        if seen.rows is not None:
            base = base[seen.rows]
        if self.inputs is None or stage.startswith("text."):
            return base, value
        mask = np.asarray(self.inputs["padding_mask"])
        mask = mask if seen.rows is None else mask[seen.rows]
        tokens = mask.shape[1] if seen.tokens is None else seen.tokens
        base, value = (_positions(stage, x, tokens) for x in (base, value))
        kept = kept_positions(stage, base.shape, mask[:, :tokens])
        return (base, value) if kept is None else (base[kept], value[kept])


@contextmanager
def _with_threads(source: Source, threads: int) -> Iterator[Source | None]:
    """The source on so many threads; None where they cannot be set."""
    if isinstance(source, NpbertSource):
        backbone = source.backbone
        copy = BertBackbone.from_weights(
            backbone.config,
            dict(backbone.weights()),
            num_threads=threads,
            dtype=backbone.dtype_policy,
        )
        text_side, pools = source.text_side, source._pools
        yield NpbertSource(copy, source.name, text_side=text_side, pools=pools)
    elif isinstance(source, TorchSource):
        torch = imported("torch", "torch", source.kind)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            yield source
        finally:
            torch.set_num_threads(before)
    else:
        yield None


def _columns(x: Array, tokens: int | None) -> Array:
    """(B, T) -> (B, tokens), cut or padded with zeros."""
    if tokens is None:
        return x
    return np.pad(x, ((0, 0), (0, max(0, tokens - x.shape[1]))))[:, :tokens]


def _positions(stage: str, x: Array, tokens: int) -> Array:
    """The first columns of a stage, and of its keys."""
    if stage == "pooled_output":
        return x
    return x[:, :, :tokens, :tokens] if stage.endswith(_BY_KEYS) else x[:, :tokens]


def _same_bits(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def _distance(a: Array, b: Array) -> tuple[float, float]:
    """The largest difference, and in units in the last place."""
    if a.shape != b.shape:
        return np.inf, np.inf
    found = difference(a, b)
    return found.max_abs, found.ulp_max
