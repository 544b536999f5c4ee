"""What a comparison could not see, in sentences: nothing is left out in silence."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from npbert.parity.bundle import weight_hashes
from npbert.parity.judge import Evidence, Judged
from npbert.parity.types import Array, Report, Source, Stages, WeightReport
from npbert.parity.weights import MISSING, SAME

_NAMED = 4
"""So many are named; of more, their number."""


def on_sources(a: Source, b: Source, stages: Sequence[Stages]) -> Iterator[str]:
    """How the sides are set up, and what only one of them shows."""
    if a.config is not None and b.config is not None:
        ours, theirs = dataclasses.asdict(a.config), dataclasses.asdict(b.config)
        other = [f"{k} {ours[k]!r} and {theirs[k]!r}" for k in ours if ours[k] != theirs[k]]
        if other:
            yield f"the configs differ: {', '.join(other)}"
    for name, side in (("a", a), ("b", b)):
        yield from (f"{name}: {note}" for note in getattr(side, "notes", ()))
    for side_name, mine, others in (("a", *stages), ("b", *reversed(stages))):
        only = sorted({stage.rpartition(".")[2] for stage in mine if stage not in others})
        if only:
            yield f"only {side_name} shows {_few(only)}"


def on_hashes(a: Source, b: Source, weights: Sequence[Mapping[str, Array] | None]) -> Iterator[str]:
    """Whether a record that has its weights' hashes alone is of the other side's weights."""
    for name, record, tensors in (("a", a, weights[1]), ("b", b, weights[0])):
        hashes: Mapping[str, str] = getattr(record, "weight_hashes", {})
        if not hashes or tensors is None:
            continue
        found = weight_hashes(tensors)
        others = [each for each in hashes if found.get(each) != hashes[each]]
        said = f"these weights are not those of {name}'s record: {_few(others)}"
        yield said if others else f"all weights are those of {name}'s record, by their hashes"


def on_evidence(known: Evidence, judgements: Sequence[Judged]) -> Iterator[str]:
    """What cannot be told from rounding."""
    if judgements and known.noise is None:
        yield (
            "no float64 run, and rounding was not measured: no side shows a config and all of its "
            "weights, or these ids are not in them; the tolerances are "
            + ("those of the record" if known.recorded else "fixed")
        )
    for each in judgements:
        if not each.report.agrees and each.scale <= 1:
            yield (
                f"{each.off}'s op at {each.report.stage} is off on its own input, though the "
                "difference is within the tolerance: what came before it differs as much"
            )
    blind = [each for each in judgements if each.blind]
    if blind:
        worst = max(blind, key=lambda each: each.blind)
        stages = [each.report.stage for each in blind]
        yield (
            f"rounding hides errors of up to {worst.blind:.0%} of a typical value at "
            f"{worst.report.stage}, and more than is good at {_few(stages)}"
        )


def on_findings(report: Report) -> Iterator[str]:
    """What the verdict does not say."""
    if report.verdict == "not comparable":
        shapes = "the same stages, but none of the same shape"
        yield f"the sides share {shapes if report.stages else 'nothing that could be compared'}"
    missing = [each.name for each in report.weights or () if each.relation.startswith(MISSING)]
    if missing:
        yield f"weights of one side alone: {_few(missing)}"
    others = [each.name for each in different_weights(report)]
    if others and report.first is None:
        yield f"all stages agree on these inputs, but these weights differ: {_few(others)}"
    tokens = report.tokens
    if tokens and tokens.different:
        yield "the tokens differ; the stages of both sides are on the same ones all the same"
    if tokens and tokens.offsets:
        yield f"the offsets differ in {tokens.offsets} texts of the same tokens"


def different_weights(report: Report) -> list[WeightReport]:
    """Tensors that are not the same; one that a side lacks is none of them."""
    return [each for each in report.weights or () if not each.relation.startswith((*SAME, MISSING))]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
