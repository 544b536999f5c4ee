"""How far npbert and Keras Hub are from float64 under each dtype policy, stage by stage.

The bundles in ``golden/policies`` hold the root-mean-square error of every stage that Keras Hub
computed, for each sequence of the accuracy sets. The truth is float64 on the variables as the
policy keeps them: TensorFlow's for Keras Hub, `npbert.reference` for npbert, the same to 1e-7.
`tests/accuracy.py` prints the table.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import accuracy
import goldens
import numpy as np
from accuracy import F64, FLOOR
from goldens import KERAS_CASES, Arrays

from npbert import reference
from npbert.dtype_policy import DTypePolicy, numpy_dtype

POLICIES = {
    **{name: name for name in ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")},
    "float16_from_float32": "mixed_float16",
    "bfloat16_from_float32": "mixed_bfloat16",
}
"""Each policy with the one of Keras's that it is compared with: npbert's own two, in which nothing
but the weights is rounded, with those that round the same weights where they use them."""

BACKENDS = {"tf": "TensorFlow", "jax": "JAX"}

CAPTION = (
    "RMS error / TensorFlow's, / JAX's, and largest error / the worse backend's; for float64, the"
    " largest difference from TensorFlow's float64 and from `npbert.reference`:"
)


class Errors(NamedTuple):
    """The errors of one stage of one case."""

    rms: F64  # (A,), of each sequence
    largest: float


class Stage(NamedTuple):
    """A stage over all cases and layers; arrays have one value a sequence, case and layer."""

    log_ratios: Mapping[str, F64]  # backend -> log(npbert's RMS error / the backend's)
    excess: float  # of any case and layer: npbert's largest error / the worse backend's

    def mean(self, backend: str) -> float:
        """The geometric mean."""
        return float(np.exp(self.log_ratios[backend].mean()))


class Float64(NamedTuple):
    """How far a stage is from others in float64, over all cases and layers."""

    tensorflow: float
    reference: float


@cache
def measure(policy: str) -> dict[str, Stage]:
    """Each stage of the forward pass, those of all layers as one."""
    found: dict[str, list[Stage]] = defaultdict(list)
    for case in KERAS_CASES:
        ours = errors(case, policy)
        theirs = {backend: recorded(case, f"{backend}_{POLICIES[policy]}") for backend in BACKENDS}
        for stage in ours:
            both = {backend: each[stage] for backend, each in theirs.items() if stage in each}
            if both:
                found[_any_layer(stage)].append(_compare(ours[stage], both))
    return {name: _joined(stages) for name, stages in found.items()}


def errors(case: str, policy: str) -> dict[str, Errors]:
    """npbert's, on the case's accuracy set."""
    _, stages = goldens.backbone(case, dtype=policy).run_with_cache(_inputs(case))
    exact = truth(case, DTypePolicy(POLICIES[policy]).variable_dtype)
    found = {name: np.abs(np.float64(stages[name]) - exact[name]) for name in stages}
    return {name: Errors(accuracy.rms(e), float(e.max())) for name, e in found.items()}


def recorded(case: str, source: str) -> dict[str, Errors]:
    """Keras Hub's, on the same."""
    bundle = goldens.bundle(f"policies/{case}")
    rms, largest = bundle.arrays[f"rms_error.{source}"], bundle.arrays[f"largest_error.{source}"]
    rows = zip(np.float64(rms), map(float, largest), strict=True)
    return {name: Errors(*row) for name, row in zip(bundle.meta["stages"], rows, strict=True)}


@cache
def truth(case: str, variables: str, batch: str = "accuracy.inputs") -> Arrays:
    """Every stage in float64, of weights rounded to the dtype of the variables."""
    weights = {
        name: array.astype(numpy_dtype(variables)).astype(np.float64)
        for name, array in goldens.weights(case).items()
    }
    stages: dict[str, F64] = {}
    batches = goldens.inputs(case, batch)
    reference.forward(goldens.config(case), weights, **batches, seen=stages.__setitem__)
    return stages


def _inputs(case: str) -> Arrays:
    return goldens.inputs(case, "accuracy.inputs")


def _any_layer(stage: str) -> str:
    return re.sub(r"layer\.\d+\.", "layer.", stage)


def _compare(ours: Errors, theirs: Mapping[str, Errors]) -> Stage:
    ratios = {backend: _log_ratio(ours.rms, each.rms) for backend, each in theirs.items()}
    return Stage(ratios, ours.largest / max(FLOOR, *(each.largest for each in theirs.values())))


def _log_ratio(ours: F64, theirs: F64) -> F64:
    """Where both are exact, neither is nearer: 0."""
    exact = (ours == 0) & (theirs == 0)
    return np.log(np.where(exact, 1, ours) / np.where(exact, 1, theirs))


def _joined(stages: list[Stage]) -> Stage:
    ratios = {b: np.concatenate([stage.log_ratios[b] for stage in stages]) for b in BACKENDS}
    return Stage(ratios, max(stage.excess for stage in stages))


@cache
def measure_float64() -> dict[str, Float64]:
    """The kernels in float64, over the batch of every case."""
    found: dict[str, list[Float64]] = defaultdict(list)
    for case in KERAS_CASES:
        _, ours = goldens.backbone(case, dtype="float64").run_with_cache(goldens.inputs(case))
        keras = goldens.bundle(case).group("tf64")
        exact = truth(case, "float32", "inputs")
        for stage in keras:
            others = (keras[stage], exact[stage])
            far = [float(np.abs(ours[stage] - other).max()) for other in others]
            found[_any_layer(stage)].append(Float64(*far))
    return {name: Float64(*map(max, zip(*each, strict=True))) for name, each in found.items()}


def table() -> str:
    """What `CAPTION` says of each stage and policy, in Markdown."""
    measured, float64 = {policy: measure(policy) for policy in POLICIES}, measure_float64()
    names = dict.fromkeys(_any_layer(stage) for stage in goldens.stages(goldens.config("deep")))
    lines = [
        f"{CAPTION}\n",
        f"| stage | {' | '.join(POLICIES)} | float64 |",
        f"| --- {'| ---: ' * (len(POLICIES) + 1)}|",
    ]
    for name in names:
        cells = [_cell(measured[policy][name]) for policy in POLICIES]
        far = " / ".join(f"{value:.0e}" if value else "0" for value in float64[name])
        lines.append(f"| {name} | {' | '.join(cells)} | {far} |")
    return "\n".join(lines)


def _cell(stage: Stage) -> str:
    means = (stage.mean(backend) for backend in BACKENDS)
    return " / ".join(f"{value:.2f}" for value in (*means, stage.excess))
