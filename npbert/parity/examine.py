"""Every op of two sides looked at in turn: which of them are off, and what explains it.

An op that is off is searched for a known mistake (`npbert.parity.search`) and from then on taken to
be so, so that a second fault does not hide behind the first. A fault in several layers is one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from npbert.parity.causes import CAUSES
from npbert.parity.search import EXPLAINED, Found, Suspect
from npbert.parity.types import Side

SHARED: Final = 0.1
"""Ops of both sides that are off alike, up to this share, do not set the two apart."""


@dataclasses.dataclass
class Finding:
    """A fault, at all the stages where it was found."""

    side: Side
    stages: list[str]
    found: Found | None
    """None if no known mistake explains it."""
    error: float
    noise: float
    hurried: bool = False
    """Whether not all were tried."""


def examine(
    suspects: Mapping[Side, Suspect], first: str | None = None, guilty: str | None = None
) -> list[Finding]:
    """Every fault, in the order of the stages at which they begin.

    Args:
        suspects: the sides.
        first: the first stage that differs. If no op up to it is off by more than is let pass, the
            one that stands out most from rounding is taken.
        guilty: the first whose op was judged to be off; if that is ``first``, it is taken.
    """
    findings: list[Finding] = []
    order = list(next(iter(suspects.values())).replay.steps)
    for stage in order:
        off = [side for side, suspect in suspects.items() if suspect.off(stage)]
        if off and _alike(stage, *suspects.values()):
            continue
        for side in off:
            _blame(findings, side, suspects[side], stage)
        if stage == first and not findings:
            among, least = order[: order.index(stage) + 1], EXPLAINED
            if stage == guilty:  # the judge, who knows more, has called it no rounding
                among, least = [stage], 1.0
            _blame_most(findings, suspects, among, least)
    for finding in findings:
        _widen(finding, suspects, order)
    return findings


def _blame_most(
    findings: list[Finding],
    suspects: Mapping[Side, Suspect],
    stages: Sequence[str],
    least: float,
) -> None:
    """The op that stands out most from rounding, ``least`` times it, though within tolerance."""
    excess = {(s, side): suspects[side].excess(s) for s in stages for side in suspects}
    stage, side = max(excess, key=lambda at: excess[at])
    if excess[stage, side] > least:
        _blame(findings, side, suspects[side], stage)


def _widen(finding: Finding, suspects: Mapping[Side, Suspect], order: Sequence[str]) -> None:
    """Add the other stages that have the same fault, but so small that it is within tolerance."""
    if finding.found is None:
        return
    cause, suspect = finding.found.cause, suspects[finding.side]
    kinds = CAUSES[cause].kinds if cause in CAUSES else ()
    for stage in order:
        if stage in finding.stages or kind_of(stage) not in kinds:
            continue
        if suspect.excess(stage) <= EXPLAINED or _alike(stage, *suspects.values()):
            continue
        found = suspect.explain(stage, cause)
        if found:
            if order.index(stage) < order.index(finding.stages[0]):
                finding.found = found
            finding.stages.append(stage)
            finding.stages.sort(key=order.index)


def _alike(stage: str, *sides: Suspect) -> bool:
    """Whether both sides are off, and in the same way."""
    errors = []
    for suspect in sides:
        made = suspect.replay.compute(stage)
        if made is None or suspect.excess(stage) <= EXPLAINED:
            return False
        errors.append(np.asarray(suspect.replay.stages[stage], np.float64) - made)
    if len(errors) < 2:
        return False
    with np.errstate(invalid="ignore"):
        apart = np.abs(errors[0] - errors[1]).max()
    return bool(apart <= SHARED * np.abs(errors[0]).max())


def _blame(findings: list[Finding], side: Side, suspect: Suspect, stage: str) -> None:
    """Add the fault at ``stage``: to one that was found before, if it is the same."""
    replay = suspect.replay
    error, noise = replay.error(stage) or 0.0, replay.noise(stage)
    mine = [finding for finding in findings if finding.side == side]
    for finding in mine:
        if finding.found is None and kind_of(stage) == kind_of(finding.stages[0]):
            finding.stages.append(stage)
            return
    for finding in mine:  # what was made once was most likely made again
        again = suspect.explain(stage, finding.found.cause) if finding.found else None
        if again:
            finding.stages.append(stage)
            replay.follow(again.variant)
            return
    found = suspect.explain(stage)
    findings.append(Finding(side, [stage], found, error, noise, suspect.hurried))
    if found:
        replay.follow(found.variant)


def kind_of(stage: str) -> str:
    """``"query"`` of ``"layer.2.query"``."""
    return stage.rpartition(".")[2]
