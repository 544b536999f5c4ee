"""Why two sides differ, in a sentence each: tokens first, then the model's ops, then vectors.

Every op of both sides is replayed on its own input (`npbert.parity.replay`), so that an error which
was only handed on is nobody's; what explains the others is looked for in `npbert.parity.examine`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from npbert.parity.arbiter import Model, find_model
from npbert.parity.difference import kept_positions
from npbert.parity.examine import Finding, examine, kind_of
from npbert.parity.graph import graph
from npbert.parity.mistakes.cause import layer_of
from npbert.parity.mistakes.pooling import POOLING, VECTOR
from npbert.parity.notes import different_weights
from npbert.parity.replay import Replay
from npbert.parity.search import FIX_WEIGHTS, PATIENCE, WEIGHTS, Suspect
from npbert.parity.token_search import TOKENS, explain_tokens
from npbert.parity.types import (
    Array,
    Diagnosis,
    Inputs,
    Report,
    Side,
    Source,
    Stages,
    WeightReport,
)
from npbert.parity.vector_search import Texts, VectorFound

ROWS: Final = 4
"""Of the batch, as many are looked at: those that differ most."""


def diagnose(
    report: Report,
    a: Source,
    b: Source,
    stages_a: Stages,
    stages_b: Stages,
    inputs: Inputs | None,
    texts: Sequence[str] | None = None,
) -> Diagnosis | None:
    """The first fault and, as ``also``, the others.

    Args:
        report: what is known so far: weights, tokens, the stages with their tolerances, the first
            that differs.
        a, b: the sides. What an op should be, the weights and the config of ``a`` say, or those of
            ``b`` if ``a`` has none.
        stages_a, stages_b: what each gave for ``inputs``, and for ``texts``.
        inputs: of both.
        texts: that tokens and vectors are of.

    Returns:
        None if nothing differs.
    """
    model = find_model(a, b, (a.weights(), b.weights()))
    said: list[Diagnosis] = []
    if texts and report.tokens and report.tokens.different:
        said += _of_tokens(report, texts, a, b)
    inner = [stage.stage for stage in report.stages if stage.stage not in (POOLING, VECTOR)]
    sides: list[tuple[Side, Source, Stages]] = [("b", b, stages_b), ("a", a, stages_a)]
    if model and inputs is not None and report.first in inner:
        said += _of_ops(report, model, sides, inputs)
    apart = {each.stage for each in report.stages if not each.agrees}
    of_texts = next((stage for stage in (VECTOR, POOLING) if stage in apart), None)
    if model and texts and of_texts:
        known = Texts(texts, a, b, (stages_a, stages_b), model, _limits(report), of_texts)
        said += _of_vectors(known, inherited=bool(said))
    if not said and report.first is None:
        said += _of_weights(report)
    if not said and report.first is not None:
        said.append(_unknown(report.first, None, _why(report, model)))
    if not said:
        return None
    also = [sentence for each in said for sentence in (each.sentence, *each.also)]
    return dataclasses.replace(said[0], also=tuple(also[1:]))


def _limits(report: Report) -> dict[str, float]:
    return {stage.stage: stage.tolerance for stage in report.stages}


def _of_weights(report: Report) -> list[Diagnosis]:
    """What is said of the tensors, where no stage shows what they do."""
    other = [f"{each.name} is {each.relation}" for each in different_weights(report)]
    if not other:
        return []
    more = f", and {len(other) - 1} more tensors differ" if len(other) > 1 else ""
    return [Diagnosis(WEIGHTS, None, None, f"Of b's weights, {other[0]}{more}.", FIX_WEIGHTS)]


def _of_tokens(report: Report, texts: Sequence[str], a: Source, b: Source) -> list[Diagnosis]:
    """What is said of the tokens."""
    found = explain_tokens(texts, a, b)
    said = [
        Diagnosis(
            each.cause,
            TOKENS,
            None,
            f"{each.says}: with that allowed for, the tokens of {each.after} of {len(texts)} texts "
            f"differ, where those of {each.before} did.",
            each.fix,
            each.before,
            each.after,
        )
        for each in found
    ]
    if not found:
        count = report.tokens.different if report.tokens else 0
        said = [_unknown(TOKENS, None, f"the tokens of {count} of {len(texts)} texts differ")]
    return said


def _of_ops(
    report: Report,
    model: Model,
    sides: Sequence[tuple[Side, Source, Stages]],
    inputs: Inputs,
) -> list[Diagnosis]:
    """What is said of the model's ops."""
    assert report.first is not None
    steps = graph(model.config)
    shown = min(len(set(stages) & set(steps)) for _, _, stages in sides)
    most = ROWS if shown > model.config.num_layers else 1  # many layers are run for every guess
    rows = _rows(report.first, sides[0][2], sides[1][2], inputs)[:most]
    few = {name: np.asarray(array)[rows] for name, array in inputs.items()}
    suspects: dict[Side, Suspect] = {}
    for side, source, stages in sides:
        chosen = {name: np.asarray(x)[rows] for name, x in stages.items() if name in steps}
        replay = Replay(steps, model.weights, few, chosen)
        own = _own(model.weights, source.weights(), report.weights or ())
        suspects[side] = Suspect(replay, model.config, _limits(report), own)
    return described(examine(suspects, report.first, report.guilty), model.config.num_layers)


def _of_vectors(texts: Texts, *, inherited: bool) -> list[Diagnosis]:
    """What is said of the texts' vectors; ``inherited`` if there is another reason to differ."""
    first, second = texts.ways()
    if first and second:
        return [_of_text(each, texts.stage) for each in texts.compare_ways(first, second)]
    way = first or second
    if way is None:
        why = "no known pooling leads to either side's vectors"
        return [] if inherited else [_unknown(texts.stage, None, why)]
    found = texts.explain(way)
    if found:
        return [_of_text(found, texts.stage)]
    a, b = texts.suspects(way)
    return described(examine({"b": b, "a": a}), texts.model.config.num_layers)


def _of_text(found: VectorFound, stage: str) -> Diagnosis:
    sentence = (
        f"{found.says}: with that allowed for, vectors differ by {found.after:.1e}, where they "
        f"differed by {found.before:.1e}."
    )
    return Diagnosis(found.cause, stage, None, sentence, found.fix, found.before, found.after)


def _rows(stage: str, a: Stages, b: Stages, inputs: Inputs) -> list[int]:
    """Those that differ most where the sides first part, and where they end.

    Some mistakes are told apart by a second segment, or by padding, alone: one row each has these.
    """
    count = len(inputs["padding_mask"])
    shared = [
        name
        for name in a
        if name in b and np.shape(a[name]) == np.shape(b[name]) and len(a[name]) == count
    ]
    chosen: dict[int, None] = {}
    for name in [*[stage] * (stage in shared), *shared[-1:]]:
        apart = np.abs(np.asarray(a[name], np.float64) - np.asarray(b[name], np.float64))
        kept = kept_positions(name, apart.shape, inputs["padding_mask"])
        apart = np.nan_to_num(apart, nan=np.inf)
        if kept is not None:
            apart[~kept] = 0
        each = apart.reshape(count, -1).max(axis=1)
        chosen |= dict.fromkeys(np.argsort(-each, kind="stable")[: ROWS // 4].tolist())
    for telling in (inputs["segment_ids"] != 0, inputs["padding_mask"] == 0):
        rows = np.flatnonzero(np.any(telling, axis=1)).tolist()
        if not set(rows) & set(chosen):
            chosen |= dict.fromkeys(rows[:1])
    return list(chosen) or list(range(min(count, ROWS)))


def _own(
    model: Mapping[str, Array], own: Mapping[str, Array] | None, reports: Sequence[WeightReport]
) -> dict[str, tuple[Array, str]]:
    """A side's tensors that are not the model's, and how they differ."""
    words = {report.name: report.relation for report in reports}
    return {
        name: (tensor, words.get(name, "another"))
        for name, tensor in (own or {}).items()
        if name in model
        and np.shape(tensor) == np.shape(model[name])
        and not np.array_equal(tensor, model[name])
    }


# -- in words --------------------------------------------------------------------------------------


def described(findings: Sequence[Finding], num_layers: int) -> list[Diagnosis]:
    """Each finding as the report has it."""
    return [
        Diagnosis(
            cause=finding.found.cause if finding.found else None,
            stage=finding.stages[0],
            side=finding.side,
            sentence=_sentence(finding, num_layers),
            fix=finding.found.fix if finding.found else None,
            error_before=finding.found.before if finding.found else finding.error,
            error_after=finding.found.after if finding.found else None,
        )
        for finding in findings
    ]


def _sentence(finding: Finding, num_layers: int) -> str:
    stage, found = finding.stages[0], finding.found
    scope = _scope(finding.stages, num_layers)
    rounding = f"where rounding gives {finding.noise:.1e}"
    if found is None:
        tried = "no known mistake"
        if finding.hurried:
            tried = f"no mistake of those that there was time for ({PATIENCE:.0f} s)"
        return (
            f"Cause unknown, first stage {stage}{scope}: {finding.side}'s op is off by "
            f"{finding.error:.1e} on its own input, {rounding}, and {tried} explains it."
        )
    others = f" These inputs do not tell it from: {'; '.join(found.others)}." * bool(found.others)
    return (
        f"{finding.side}'s {stage} {found.says}{scope}. Allowing for that, its error falls from "
        f"{found.before:.1e} to {found.after:.1e}, {rounding}.{others}"
    )


def _scope(stages: Sequence[str], num_layers: int) -> str:
    """Where else the fault is."""
    if len({kind_of(stage) for stage in stages}) > 1:
        more = f", and {len(stages) - 3} more" if len(stages) > 3 else ""
        return f" (as does {', '.join(stages[1:3])}{more})"
    layers = sorted({layer_of(stage) for stage in stages} - {-1})
    if not layers or num_layers == 1:
        return ""
    if len(layers) == num_layers:
        return " (in every layer)"
    named = ", ".join(map(str, layers))
    return f" (in layers {named})" if len(layers) > 1 else " (in this layer alone)"


def _why(report: Report, model: Model | None) -> str:
    """No op is to blame."""
    first = next(each for each in report.stages if each.stage == report.first)
    if first.difference is None:
        return f"its shape is {first.shapes[0]} in a and {first.shapes[1]} in b"
    if model is None:
        return "neither side shows its weights"
    return "every op is right on its own input, and their rounding adds up"


def _unknown(stage: str, side: Side | None, why: str) -> Diagnosis:
    return Diagnosis(None, stage, side, f"Cause unknown, first stage {stage}: {why}.", None)
