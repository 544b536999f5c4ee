"""Numbers, texts and verdicts in words, alike in every report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from npbert.parity.budget import Tolerance
from npbert.parity.difference import Spread
from npbert.parity.notes import different_weights
from npbert.parity.types import Report, StageReport

SIDES: Final = {"a": "a", "b": "b", "both": "both sides"}


def number(value: float | None, figures: int = 3) -> str:
    """A dash for what was not measured."""
    if value is None:
        return "–"
    if math.isnan(value):
        return "NaN"
    return f"{value:.{figures - 1}e}" if value and math.isfinite(value) else f"{value:g}"


def times(value: float | None) -> str:
    """How many times something, in at most six characters."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞"
    if value < 10:
        return "<0.01" if 0 < value < 0.01 else f"{value:.2f}" if value else "0"
    return f"{value:.0f}" if value < 9999.5 else f"{value:.0e}"


def visible(text: str) -> str:
    """One line in which every character can be seen: control and zero-width ones by their code."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, most: int = 60) -> str:
    """The beginning of a text."""
    return text if len(text) <= most else text[: most - 1] + "…"


def counted(count: int, noun: str) -> str:
    """``"1 stage"``, ``"2 stages"``"""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def used(stage: StageReport) -> float:
    """The share of its tolerance that a stage's difference takes; infinite for other shapes."""
    found = stage.difference
    if found is None:
        return math.inf
    return Tolerance(stage.tolerance, stage.bulk).scale(Spread(found.p99, found.max_abs))


def own(stage: StageReport) -> float | None:
    """The larger error of the two sides' ops, each on its own input."""
    known = [error for error in stage.local if error is not None]
    return max(known, default=None)


def wrong(stage: StageReport) -> str:
    """What is wrong with a stage that differs."""
    found = stage.difference
    if found is None:
        return f"shapes {stage.shapes[0]} and {stage.shapes[1]}"
    if found.not_finite[0] != found.not_finite[1]:
        counts = " and ".join(map(str, found.not_finite))
        return f"{counts} values are NaN or infinite"
    share = used(stage)
    if share <= 1:
        return f"within tolerance, but its op alone is off by {number(own(stage))}"
    if found.max_abs <= stage.tolerance:
        return f"{number(found.p99)} at the 99th percentile, where {number(stage.bulk)} is let pass"
    return f"{number(found.max_abs)}, where {number(stage.tolerance)} is let pass"


def headline(report: Report) -> str:
    """The verdict in a sentence."""
    if report.verdict == "not comparable":
        return "a and b cannot be compared."
    if report.verdict == "agree":
        return f"a and b agree: {_compared(report)}."
    first = stage_of(report, report.first)
    if first is None:
        return f"a and b differ: {'; '.join(_besides(report))}."
    return f"a and b differ from {first.stage} on: {wrong(first)}."


def stage_of(report: Report, name: str | None) -> StageReport | None:
    """A stage by its name."""
    return next((stage for stage in report.stages if stage.stage == name), None)


def because(report: Report) -> list[str]:
    """The diagnosis: why, what to do about it, and what else there is."""
    found = report.diagnosis
    if found is None:
        return []
    fix = [f"Fix: {found.fix}"] if found.fix else []
    return [found.sentence, *fix, *(f"Also: {sentence}" for sentence in found.also)]


def mark(report: Report, stage: StageReport) -> str:
    """What a stage is in this report."""
    marks = []
    if stage.stage == report.first:
        marks.append("first to differ")
    if stage.stage == report.guilty:
        marks.append("made here")
    if not marks and not stage.agrees:
        marks.append("differs")
    return ", ".join(marks)


def excerpt(report: Report, most: int) -> list[StageReport | int]:
    """The stages that matter, at most ``most`` or so, and between them how many are left out."""
    chosen = set(range(len(report.stages)))
    if len(chosen) > most:
        chosen = _telling(report)
    shown: list[StageReport | int] = []
    for at, stage in enumerate(report.stages):
        if at in chosen or {at - 1, at + 1} <= chosen:  # a gap is of two or more
            shown.append(stage)
        elif shown and isinstance(shown[-1], int):
            shown[-1] += 1
        else:
            shown.append(1)
    return shown


def _telling(report: Report) -> set[int]:
    """Both ends, the worst, and what is around the first to differ and where it is made."""
    count = len(report.stages)
    chosen = {0, 1, *range(count - 3, count), *_worst(report.stages)}
    for at, stage in enumerate(report.stages):
        if stage.stage in (report.first, report.guilty):
            chosen |= set(range(max(at - 3, 0), min(at + 5, count)))
    return chosen


def _worst(stages: Sequence[StageReport]) -> list[int]:
    """Those that come nearest to their tolerance, or go furthest past it."""
    return sorted(range(len(stages)), key=lambda at: -used(stages[at]))[:3]


def _compared(report: Report) -> str:
    """What agrees, and how narrowly."""
    parts = [counted(len(report.stages), "stage")] if report.stages else []
    if report.weights is not None:
        parts.append(counted(len(report.weights), "weight"))
    if report.tokens is not None:
        parts.append(f"the tokens of {counted(report.tokens.texts, 'text')}")
    said = ", ".join(parts)
    if report.stages:
        nearest = max(report.stages, key=used)
        said += f"; {nearest.stage} comes nearest to its tolerance, at {times(used(nearest))} of it"
    return said


def _besides(report: Report) -> Iterator[str]:
    """What differs that is no stage."""
    tokens, weights = report.tokens, different_weights(report)
    if tokens is not None and tokens.different:
        yield f"the tokens of {tokens.different:,} of {counted(tokens.texts, 'text')}"
    if weights:
        yield f"{counted(len(weights), 'weight')}, {weights[0].name} the first"
