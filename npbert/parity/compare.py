"""Two sources against each other: weights, then tokens, then stage by stage, then whole texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from npbert.parity import inputs as batches
from npbert.parity import layouts, notes
from npbert.parity.arbiter import Arbiter, Model, find_model, shaped, takes
from npbert.parity.budget import Tolerance, overridden, place
from npbert.parity.inputs import Batch
from npbert.parity.judge import LAST, Evidence, Judged, judged
from npbert.parity.noise import expected
from npbert.parity.ranking import ranking
from npbert.parity.texts import TEXTS
from npbert.parity.tokens import compare_tokens
from npbert.parity.types import (
    Array,
    Inputs,
    Ranking,
    Report,
    Side,
    Source,
    Stages,
    TokenReport,
    Tokens,
    WeightReport,
)
from npbert.parity.weights import compare_weights


def compare(
    a: Source,
    b: Source,
    *,
    texts: Sequence[str] | None = None,
    inputs: Inputs | None = None,
    tolerances: Mapping[str, float] | None = None,
    diagnose: bool = True,
) -> Report:
    """Say whether two sources agree, where they part, and why.

    Args:
        a, b: the sides; ``a`` says what is right where its weights and its config are known.
        texts: to compare tokens and vectors on, and to make inputs of. Without them and
            ``inputs``, those that a side was recorded with; of no record,
            `npbert.parity.texts.TEXTS`.
        inputs: ``token_ids``, ``segment_ids`` and ``padding_mask``, (B, T), for both sides. Without
            them, those that a side was recorded with; or else the texts as ``a`` tokenizes them,
            or ``b``; or else random ids.
        tolerances: stage, or a pattern as ``layer.*.probs`` -> the largest absolute difference that
            is let pass, in place of `npbert.parity.budget`'s.
        diagnose: False leaves out the replay of ops on their own input, and the search for causes.

    Returns:
        The report. ``"not comparable"`` is its verdict where nothing is shared, or only stages of
        different shapes; its notes say what.

    Raises:
        InputError, ConfigError: the arguments contradict each other or the sides.
    """
    weights = (a.weights(), b.weights())
    recorded = batches.recorded(a, b)
    if texts is None and inputs is None:
        texts = batches.texts_of(a, b) or (TEXTS if recorded is None else None)
    tokens = (a.tokenize(texts), b.tokenize(texts)) if texts else (None, None)
    batch = batches.given(inputs) if inputs is not None else recorded
    batch = batch or made(a, b, tokens)
    shown = [_stages(side, other, batch, texts) for side, other in ((a, b), (b, a))]
    stages = [found for found, _ in shown]
    shared = sorted(set(stages[0]) & set(stages[1]), key=place)
    model = find_model(a, b, weights)
    known = _evidence(model, batch, stages, diagnose)
    known = dataclasses.replace(
        known,
        given=overridden(shared, tolerances),
        recorded=_recorded(b, stages[1]) | _recorded(a, stages[0]),
        computed=tuple(side[LAST].dtype for side in stages if LAST in side),
    )
    judgements = [judged(name, stages[0][name], stages[1][name], known) for name in shared]
    report = Report(
        a=_described(a),
        b=_described(b),
        verdict="not comparable",
        stages=[each.report for each in judgements],
        weights=_weights(*weights),
        tokens=_tokens(texts, *tokens),
        **_where(judgements),
        ranking=_ranking(stages, batch),
    )
    report = dataclasses.replace(report, verdict=_verdict(report))
    said = [*(batch.notes if batch else ()), *notes.on_sources(a, b, stages)]
    said += [f"{name}: {note}" for name, (_, read) in zip("ab", shown) for note in read]
    said += notes.on_hashes(a, b, weights)
    said += [*notes.on_evidence(known, judgements), *notes.on_findings(report)]
    report = dataclasses.replace(report, notes=said)
    if diagnose and report.verdict == "differ":
        from npbert.parity.diagnose import diagnose as find_cause

        given = batch.inputs if batch else None
        if model and batch:
            stages = [_usable(side, model, batch) for side in stages]
        cause = find_cause(report, a, b, stages[0], stages[1], given, texts)
        report = dataclasses.replace(report, diagnosis=cause)
    return report


def _described(side: Source) -> dict[str, Any]:
    config = None if side.config is None else side.config.to_dict()
    environment = dict(side.environment)
    return {"name": side.name, "kind": side.kind, "config": config, "environment": environment}


def _usable(stages: Stages, model: Model, batch: Batch) -> dict[str, Array]:
    """What the model's ops can be replayed on, and what is of texts."""
    of_texts = {name: array for name, array in stages.items() if name.startswith("text.")}
    return shaped(stages, model.config, batch.inputs["token_ids"].shape) | of_texts


# -- what is compared ------------------------------------------------------------------------------


def made(a: Source, b: Source, tokens: tuple[Tokens | None, Tokens | None]) -> Batch | None:
    """Inputs from texts, or at random; None if no side says what its ids are."""
    configs = [side.config for side in (a, b) if side.config is not None]
    longest = min((config.max_sequence_length for config in configs), default=None)
    for side, found in zip((a, b), tokens):
        if found is not None and len(found.ids):
            return batches.from_tokens(found, side.name, longest)
    if longest is None:
        return None
    sizes = [(config.vocabulary_size, config.num_segments) for config in configs]
    return batches.drawn(min(V for V, _ in sizes), longest, min(S for _, S in sizes))


def _stages(
    side: Source, other: Source, batch: Batch | None, texts: Sequence[str] | None
) -> tuple[dict[str, Array], list[str]]:
    """What a side shows of the batch and of the texts, and how it was read."""
    shown: dict[str, Array] = {}
    said: list[str] = []
    if batch:
        shown, said = layouts.run(side, batch.inputs, side.config or other.config)
    if texts:
        shown |= {stage: np.asarray(x) for stage, x in (side.encode(texts) or {}).items()}
    return shown, said


def _evidence(
    model: Model | None, batch: Batch | None, stages: Sequence[Stages], local: bool
) -> Evidence:
    """All that float64 and measured noise say of these stages."""
    if batch is None:
        return Evidence()
    mask = np.asarray(batch.inputs["padding_mask"])
    if model is None or not takes(model, batch.inputs):
        return Evidence(mask)
    noise = expected(model.config, model.weights, batch.inputs)
    arbiter = Arbiter(model, batch.inputs)
    known = Evidence(mask, noise, arbiter.errors(*stages))
    if not local:
        return known
    return dataclasses.replace(
        known,
        local=[arbiter.local_errors(side) for side in stages],
        local_noise=[noise.local(model.config, model.weights, side) for side in stages],
    )


def _recorded(side: Source, shown: Stages) -> dict[str, tuple[Tolerance, np.dtype[Any]]]:
    """The tolerances of a record."""
    found: Mapping[str, Tolerance] = getattr(side, "tolerances", {})
    return {stage: (found[stage], shown[stage].dtype) for stage in found if stage in shown}


def _weights(
    a: Mapping[str, Array] | None, b: Mapping[str, Array] | None
) -> list[WeightReport] | None:
    return None if a is None or b is None else compare_weights(a, b)


def _tokens(texts: Sequence[str] | None, a: Tokens | None, b: Tokens | None) -> TokenReport | None:
    return None if not texts or a is None or b is None else compare_tokens(texts, a, b)


def _ranking(stages: Sequence[Stages], batch: Batch | None) -> Ranking | None:
    """Of the texts' vectors, or where a side has none, of the means of its last stage."""
    vectors = [side.get("text.vector") for side in stages]
    last = [side.get(LAST) for side in stages]
    if any(each is None for each in vectors) and batch is not None:
        kept = np.asarray(batch.inputs["padding_mask"])[..., None] != 0  # (B, T, 1)
        vectors = [
            None if x is None or x.shape[:-1] != kept.shape[:-1] else _mean(x, kept) for x in last
        ]
    first, second = vectors
    if first is None or second is None or first.shape != second.shape:
        return None
    return ranking(first, second)


def _mean(x: Array, kept: Array) -> Array:
    """(B, T, D) -> (B, D)"""
    total = np.where(kept, x.astype(np.float64), 0).sum(axis=1)
    return np.asarray(total / np.maximum(kept.sum(axis=1), 1))


# -- what came of it -------------------------------------------------------------------------------


def _where(judgements: Sequence[Judged]) -> dict[str, Any]:
    """The first stage that differs, the first whose op does, and which side is wrong there."""
    first = next((each for each in judgements if not each.report.agrees), None)
    if first is None:
        scale = max((each.scale for each in judgements), default=None)
        return {"smallest_scale": scale}
    differing = judgements[judgements.index(first) :]
    guilty = next((each for each in differing if each.off), None)
    side: Side | None = guilty.off if guilty else first.wrong
    return {
        "first": first.report.stage,
        "guilty": guilty.report.stage if guilty else None,
        "side": side,
        "smallest_scale": max(each.scale for each in judgements),
    }


def _verdict(report: Report) -> Literal["agree", "differ", "not comparable"]:
    compared = [stage for stage in report.stages if stage.difference is not None]
    if report.stages and not compared:
        return "not comparable"
    if not compared and report.weights is None and report.tokens is None:
        return "not comparable"
    differs = (
        report.first is not None
        or bool(notes.different_weights(report))
        or (report.tokens is not None and report.tokens.different > 0)
    )
    return "differ" if differs else "agree"
