"""The least that still parts two sides: one short text or row, the first layers, a script.

Delta debugging (Zeller & Hildebrandt 2002, section 3): leave out halves, quarters, ... single
tokens, as long as the sides still differ.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from npbert.backbone import BertBackbone
from npbert.parity import layouts
from npbert.parity.difference import kept_positions, largest
from npbert.parity.mistakes.cause import layer_of
from npbert.parity.mistakes.pooling import POOLING, VECTOR
from npbert.parity.scripts import of_inputs, of_text
from npbert.parity.token_search import TOKENS
from npbert.parity.types import Array, Inputs, Report, Source, Stages

PATIENCE: Final = 120.0
"""Seconds."""

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Shrunk:
    """A difference in its smallest form."""

    stage: str
    """Where the sides part; ``"text.tokens"`` are their tokens."""
    apart: float
    """By how much; of tokens, in how many places."""
    text: str | None
    """What they part on, if it is a text."""
    inputs: Inputs | None
    """If it is a row of ids: (1, T) each."""
    num_layers: int | None
    """So many layers are enough, if it is known."""
    script: str
    """Python, to be pasted into a report of the bug: it fails as long as the sides part."""


def shrink(
    report: Report,
    a: Source,
    b: Source,
    inputs: Inputs | None,
    texts: Sequence[str] | None = None,
) -> Shrunk | None:
    """Make what two sides part on as small as it gets.

    Args:
        report: of `npbert.parity.compare`, which says where they part.
        a, b: the sides.
        inputs: what the report's stages are of.
        texts: what its tokens and vectors are of.

    Returns:
        None where nothing differs, or where a side is a record: it knows no smaller inputs.
    """
    if a.recorded is not None or b.recorded is not None:
        return None
    deadline = time.monotonic() + PATIENCE
    if texts and report.tokens is not None and report.tokens.different:
        return _text(report, a, b, texts, TOKENS, deadline)
    if report.first in (POOLING, VECTOR):
        return _text(report, a, b, texts or (), report.first, deadline)
    if report.first is None or inputs is None:
        return None
    return _row(report, a, b, inputs, report.first, deadline)


def shortest(
    items: Sequence[Item], parts: Callable[[Sequence[Item]], bool], deadline: float = float("inf")
) -> list[Item]:
    """What is left of ``items`` when nothing more can be left out.

    Args:
        items: of which ``parts`` is true.
        parts: whether the sides still part on these.
        deadline: of `time.monotonic`; what is reached by then is taken.
    """
    left, size = list(items), len(items)
    while size := min(size // 2, len(left) - 1) or 1:
        at, before = 0, len(left)
        while at < len(left) > 1 and time.monotonic() < deadline:
            without = left[:at] + left[at + size :]
            if without and parts(without):
                left = without
            else:
                at += size
        if size == 1 and (len(left) in (before, 1) or time.monotonic() >= deadline):
            return left
    return left


# -- rows of ids -----------------------------------------------------------------------------------


def _row(
    report: Report, a: Source, b: Source, inputs: Inputs, stage: str, deadline: float
) -> Shrunk:
    """The one row that differs most, its tokens, and the layers up to the stage."""
    apart = [_apart(a, b, _one(inputs, row), stage) for row in range(len(inputs["token_ids"]))]
    row = int(np.argmax(apart))
    limit = _limit(report, stage, apart[row])

    def columns(chosen: Sequence[int]) -> dict[str, Array]:
        return {name: array[row : row + 1, list(chosen)] for name, array in inputs.items()}

    def parts(chosen: Sequence[int]) -> bool:
        return _apart(a, b, columns(chosen), stage) > limit

    few = columns(shortest(range(inputs["token_ids"].shape[1]), parts, deadline))
    left = _apart(a, b, few, stage)
    layers = _layers(a, b, few, stage, limit)
    script = of_inputs(report, stage, few, left, limit, layers)
    return Shrunk(stage, left, None, few, layers, script)


def _one(inputs: Inputs, row: int) -> dict[str, Array]:
    return {name: np.asarray(array)[row : row + 1] for name, array in inputs.items()}


def _apart(a: Source, b: Source, inputs: Inputs, stage: str) -> float:
    """The largest difference at kept positions; infinite if the shapes differ."""
    config = a.config or b.config
    x, y = (layouts.run(side, inputs, side.config or config)[0][stage] for side in (a, b))
    if x.shape != y.shape:
        return float("inf")
    kept = kept_positions(stage, x.shape, inputs["padding_mask"])
    return largest(x, y) if kept is None else largest(x[kept], y[kept])


def _limit(report: Report, stage: str, apart: float) -> float:
    """What is let pass; of a difference that is within tolerance, half of it."""
    tolerance = next((s.tolerance for s in report.stages if s.stage == stage), 0.0)
    return min(tolerance, apart / 2)


def _layers(a: Source, b: Source, inputs: Inputs, stage: str, limit: float) -> int | None:
    """How many layers it takes; where only outputs are shown, by leaving layers out."""
    if stage.startswith(("layer.", "embeddings.")):
        return layer_of(stage) + 1
    whole = min(side.config.num_layers if side.config else 0 for side in (a, b))
    for n in range(1, whole):
        first, second = (first_layers(side, n) for side in (a, b))
        if first is None or second is None:
            return None
        if _apart(first, second, inputs, stage) > limit:
            return n
    return whole or None


def first_layers(source: Source, n: int) -> Source | None:
    """The side with its first ``n`` layers only; None if it cannot be taken apart."""
    from npbert.parity.sources.of_npbert import NpbertSource
    from npbert.parity.sources.of_torch import TorchSource

    if isinstance(source, NpbertSource):
        config = dataclasses.replace(source.backbone.config, num_layers=n)
        kept = {
            name: tensor
            for name, tensor in source.weights().items()
            if not name.startswith("transformer_layer_") or int(name.split("/")[0][18:]) < n
        }
        dtype = source.backbone.dtype_policy
        return NpbertSource(BertBackbone.from_weights(config, kept, dtype=dtype), source.name)
    if isinstance(source, TorchSource):
        import copy

        model = copy.deepcopy(source.model)
        model.encoder.layer = model.encoder.layer[:n]
        model.config.num_hidden_layers = n
        return TorchSource(model, None, source.name)
    return None


# -- texts -----------------------------------------------------------------------------------------


def _text(
    report: Report, a: Source, b: Source, texts: Sequence[str], stage: str, deadline: float
) -> Shrunk:
    """The text that differs most, its words, and then its characters."""
    apart = [_text_apart(a, b, text, stage) for text in texts]
    text = texts[int(np.argmax(apart))]
    limit = 0.5 if stage == TOKENS else _limit(report, stage, max(apart))

    def parts_on(joint: str) -> Callable[[Sequence[str]], bool]:
        return lambda pieces: _text_apart(a, b, joint.join(pieces), stage) > limit

    if len(text.split()) > 1 and parts_on(" ")(text.split()):
        text = " ".join(shortest(text.split(), parts_on(" "), deadline))
    text = "".join(shortest(text, parts_on(""), deadline))
    left = _text_apart(a, b, text, stage)
    return Shrunk(stage, left, text, None, None, of_text(report, stage, text, left, limit))


def _text_apart(a: Source, b: Source, text: str, stage: str) -> float:
    if stage == TOKENS:
        ids = [list(tokens.ids[0]) for tokens in (a.tokenize([text]), b.tokenize([text])) if tokens]
        return sum(x != y for x, y in zip(*ids)) + abs(len(ids[0]) - len(ids[1]))
    shown: list[Stages | Any] = [side.encode([text]) or {} for side in (a, b)]
    x, y = (np.asarray(each[stage]) for each in shown)
    return largest(x, y) if x.shape == y.shape else float("inf")
