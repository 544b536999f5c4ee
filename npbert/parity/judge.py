"""One stage of two sides, judged by all that is known: does it differ, and whose fault is it?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from npbert.parity.budget import BLIND, Tolerance, tolerance, widened
from npbert.parity.difference import (
    F64,
    Spread,
    chosen,
    difference,
    distance,
    kept_positions,
    root_mean_square,
)
from npbert.parity.noise import Noise
from npbert.parity.types import Array, Side, StageReport

LAST: Final = "sequence_output"
"""What texts' vectors are made of."""


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What a judgement is made from; what is unknown is empty or None.

    Args:
        mask: (B, T), the padding mask of the inputs.
        noise: of the model, in float32.
        errors: stage -> each side's error from float64.
        local: for each side, stage -> the error of its op alone.
        local_noise: for each side, stage -> what float32 does to that op.
        given: stage -> the user's tolerance.
        recorded: stage -> what was let pass where a side was recorded, and in which dtype; it
            counts where the noise is unknown.
        computed: for each side, the dtype of its last stage: its texts' vectors are no finer,
            whatever they are kept in.
    """

    mask: Array | None = None
    noise: Noise | None = None
    errors: Mapping[str, tuple[Spread | None, ...]] = dataclasses.field(default_factory=dict)
    local: Sequence[Mapping[str, Spread | None]] = ({}, {})
    local_noise: Sequence[Mapping[str, Spread]] = ({}, {})
    given: Mapping[str, float] = dataclasses.field(default_factory=dict)
    recorded: Mapping[str, tuple[Tolerance, np.dtype[Any]]] = dataclasses.field(
        default_factory=dict
    )
    computed: tuple[np.dtype[Any], ...] = ()


@dataclasses.dataclass(frozen=True)
class Judged:
    """A stage's report, and what does not go into it."""

    report: StageReport
    scale: float
    """The tolerance times this would pass."""
    wrong: Side | None
    """Who is off from float64 by more than rounding."""
    off: Side | None
    """Whose op is, on its own input."""
    blind: float
    """The share of a typical value that a difference may be, and is let pass."""


def judged(stage: str, a: Array, b: Array, known: Evidence) -> Judged:
    """The stage of both sides, under all its limits."""
    errors = known.errors.get(stage, (None, None))
    local = tuple(side.get(stage) for side in known.local)
    noise = _noise(stage, (a, b), known.noise)
    report = StageReport(
        stage=stage,
        shapes=(a.shape, b.shape),
        dtypes=(a.dtype.name, b.dtype.name),
        tolerance=0.0,
        noise=noise.p99 if noise else None,
        difference=None,
        padded=None,
        outside=1.0,
        errors=(_largest(errors[0]), _largest(errors[1])),
        local=(_largest(local[0]), _largest(local[1])),
        agrees=False,
    )
    if a.shape != b.shape:
        return Judged(report, math.inf, None, None, 0.0)
    kept = None if known.mask is None else kept_positions(stage, a.shape, known.mask)
    values = chosen(a, kept), chosen(b, kept)
    most, given = max(map(_magnitude, values)), stage in known.given
    dtypes = (a.dtype, b.dtype, *(known.computed if _of_texts(stage) else ()))
    limits = tolerance(stage, dtypes, most, noise)
    if known.noise is None and stage in known.recorded:
        limits = widened(*known.recorded[stage], dtypes)
    if given:
        limits = Tolerance(known.given[stage], None)
    found = difference(a, b, kept)
    scale = limits.scale(Spread(found.p99, found.max_abs))
    local_noise = [side.get(stage) for side in known.local_noise]
    off = _beyond(stage, (a, b), most, local, local_noise, local=True)
    # Two sides whose ops are off alike agree; and a limit of the user's is the only one.
    agrees = scale <= 1 and (given or off in (None, "both"))
    report = dataclasses.replace(
        report,
        tolerance=limits.largest,
        bulk=limits.bulk,
        difference=found,
        padded=None if kept is None or kept.all() else difference(a, b, ~kept),
        outside=_outside(values, limits.largest) if found.max_abs > limits.largest else 0.0,
        agrees=agrees,
    )
    wrong = _beyond(stage, (a, b), most, errors, (noise, noise), local=False)
    return Judged(report, scale, wrong, off, 0.0 if given else _blind(values, limits))


def _of_texts(stage: str) -> bool:
    return stage.startswith("text.")


def _noise(stage: str, sides: Sequence[Array], noise: Noise | None) -> Spread | None:
    """Of the stage; of a text's vector, that of the last stage in proportion."""
    if noise is None:
        return None
    if not _of_texts(stage):
        return noise.errors.get(stage)
    size = max(root_mean_square(np.asarray(side, np.float64)) for side in sides)
    share = size / (noise.rms[LAST] or 1.0)
    return Spread(*(share * each for each in noise.errors[LAST]))


def _beyond(
    stage: str,
    sides: Sequence[Array],
    most: float,
    errors: Sequence[Spread | None],
    noise: Sequence[Spread | None],
    *,
    local: bool,
) -> Side | None:
    """The sides that are further from float64 than rounding in their own dtype takes them."""
    found: list[Side] = []
    names: tuple[Side, ...] = ("a", "b")
    for name, side, error, expected in zip(names, sides, errors, noise):
        limits = tolerance(stage, (side.dtype,), most, expected, local=local)
        if error is not None and not limits.passes(error):
            found.append(name)
    return "both" if len(found) == 2 else found[0] if found else None


def _magnitude(x: F64) -> float:
    """The largest finite value."""
    return float(np.max(np.abs(x), initial=0, where=np.isfinite(x)))


def _outside(values: tuple[F64, F64], limit: float) -> float:
    return float(np.mean(distance(*values) > limit))


def _blind(values: tuple[F64, F64], limits: Tolerance) -> float:
    """The limit in units of the stage's root mean square, where that is above `BLIND`."""
    size = max(map(root_mean_square, values))
    share = (limits.largest if limits.bulk is None else limits.bulk) / size if size else 0.0
    return share if share > BLIND else 0.0


def _largest(error: Spread | None) -> float | None:
    return None if error is None else error.largest
