"""How much difference is let pass, at each stage and in each dtype: the one table, with reasons.

Where the noise of float32 was measured (see `npbert.parity.noise`), a stage has two limits. The
99th percentile of the difference may be `Rule.factor` times the noise's: engines that are right lie
at 0.4 to 1.8 times (PyTorch, TensorFlow, JAX and npbert on MiniLM). The largest may be `LARGEST`
times the largest of all noise, where they lie at up to 3.3: a few features of a trained BERT have a
hundred times the noise of the others, so this limit alone would hide what is wrong with the rest.

Where the noise was not measured, the largest difference may be `Rule.floor` units of rounding of
the stage's largest value, and as much again for each layer before it, for errors add up.

All that is for float32. Other dtypes have as many times as much as the unit of rounding of the
coarser one of both sides is larger:

======== ======================= =================================================================
dtype    unit of rounding        reason
======== ======================= =================================================================
float64  2^-53                   half the spacing of its numbers at 1, as for the others
float32  2^-24                   what the noise is measured in
float16  2^-11                   an op's result is rounded to it once, whatever is inside the op
bfloat16 2^-8                    the same
======== ======================= =================================================================
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

import numpy as np

from npbert.config import unknown_name
from npbert.parity.difference import Spread, coarser, float_info

LARGEST: Final = 8.0
LOCAL_LARGEST: Final = 16.0
"""The same of an op alone, whose noise is from fewer runs; engines that are right: up to 6.6."""

BLIND: Final = 0.02
"""A limit above this share of a stage's root mean square hides errors that matter."""


class Rule(NamedTuple):
    """What is let pass at one kind of stage."""

    factor: float
    local: float
    """The factor for an op alone, on its own input."""
    floor: float
    reason: str


_COPY: Final = Rule(0, 0, 1, "a row of a table, copied: only its dtype may round it")
_SUM: Final = Rule(5, 5, 16, "one or two additions to what came before")
_NORM: Final = Rule(5, 5, 32, "a mean and a variance over D, whose formula is every engine's own")
_PRODUCT: Final = Rule(5, 5, 32, "a sum of products, whose order is every engine's own")
_SCORES: Final = Rule(5, 8, 64, "a product whose scale is applied before or after it")
_FUNCTION: Final = Rule(5, 32, 32, "exp, erf and tanh are off by a few last places in some engines")
_WHOLE: Final = Rule(5, 32, 256, "what all layers hand on, then a tanh, a mean or a length")
_OTHER: Final = Rule(5, 32, 256, "a stage that npbert does not know")

RULES: Final[Mapping[str, Rule]] = {
    "embeddings.token": _COPY,
    "embeddings.position": _COPY,
    "embeddings.segment": _COPY,
    "embeddings.sum": _SUM,
    "embeddings.layer_norm": _NORM,
    "layer.query": _PRODUCT,
    "layer.key": _PRODUCT,
    "layer.value": _PRODUCT,
    "layer.scores": _SCORES,
    "layer.probs": _FUNCTION,
    "layer.context": _PRODUCT,
    "layer.attention_output": _PRODUCT,
    "layer.attention_residual": _SUM,
    "layer.attention_layer_norm": _NORM,
    "layer.intermediate": _PRODUCT,
    "layer.activation": _FUNCTION,
    "layer.output": _PRODUCT,
    "layer.output_residual": _SUM,
    "layer.output_layer_norm": _NORM,
    "sequence_output": _WHOLE,
    "pooled_output": _WHOLE,
    "text.pooling": _WHOLE,
    "text.vector": _WHOLE,
}
"""Kind of stage -> rule, in the order of the forward pass."""


class Tolerance(NamedTuple):
    """Limits of the absolute difference; the second is of its 99th percentile."""

    largest: float
    bulk: float | None

    def passes(self, found: Spread) -> bool:
        """Whether neither limit is exceeded."""
        return self.scale(found) <= 1

    def scale(self, found: Spread) -> float:
        """What both limits would have to be multiplied by to let this pass."""
        bulk = 0.0 if self.bulk is None else _share(found.p99, self.bulk)
        return max(_share(found.largest, self.largest), bulk)


_KINDS: Final = tuple(RULES)
_LAYER: Final = re.compile(r"layer\.(\d+)\.")
_FLOAT32_UNIT: Final = 2.0**-24


def rule(stage: str) -> Rule:
    """The rule of a stage's kind."""
    return RULES.get(_LAYER.sub("layer.", stage), _OTHER)


def place(stage: str) -> tuple[int, int, int, str]:
    """Sorts stages into the order of the forward pass; unknown ones come last."""
    found, kind = _LAYER.match(stage), _LAYER.sub("layer.", stage)
    if kind not in RULES:
        return len(_KINDS), 0, 0, stage
    first, at = _KINDS.index("layer.query"), _KINDS.index(kind)
    return (first, int(found[1]), at, stage) if found else (at, 0, 0, stage)


def tolerance(
    stage: str,
    dtypes: Sequence[np.dtype[Any]],
    largest: float,
    noise: Spread | None,
    *,
    local: bool = False,
) -> Tolerance:
    """What is let pass at a stage.

    Args:
        stage: its name.
        dtypes: of both sides, or of the one that is compared with float64.
        largest: the largest finite magnitude of its values.
        noise: of float32 there; None if it was not measured.
        local: for an op on its own input.
    """
    allowed, unit = rule(stage), _unit(dtypes)
    factor = allowed.local if local else allowed.factor
    if noise is None or not factor or not noise.largest:
        before = 0 if local else _layers_before(stage)
        return Tolerance(allowed.floor * unit * largest * (1 + before), None)
    scale = unit / _FLOAT32_UNIT
    most = LOCAL_LARGEST if local else LARGEST
    return Tolerance(scale * most * noise.largest, scale * factor * noise.p99)


def widened(
    limits: Tolerance, recorded_in: np.dtype[Any], dtypes: Sequence[np.dtype[Any]]
) -> Tolerance:
    """What was let pass of one dtype, for sides of which another may be coarser."""
    scale = _unit((recorded_in, *dtypes)) / _unit((recorded_in,))
    return Tolerance(limits.largest * scale, None if limits.bulk is None else limits.bulk * scale)


def overridden(stages: Sequence[str], tolerances: Mapping[str, float] | None) -> dict[str, float]:
    """The stages that have a tolerance of the user's; of several patterns, the last decides.

    Args:
        stages: all that are compared.
        tolerances: stage, or pattern such as ``layer.*.probs`` -> absolute tolerance.

    Raises:
        ConfigError: a pattern is none of any stage.
    """
    found: dict[str, float] = {}
    for pattern, value in (tolerances or {}).items():
        matching = [stage for stage in stages if fnmatchcase(stage, pattern)]
        if not matching:
            raise unknown_name("stage or pattern", pattern, list(stages), where="tolerances")
        found |= dict.fromkeys(matching, float(value))
    return found


def _layers_before(stage: str) -> int:
    found = _LAYER.match(stage)
    return int(found[1]) if found else 0


def _unit(dtypes: Sequence[np.dtype[Any]]) -> float:
    widest = dtypes[0]
    for dtype in dtypes[1:]:
        widest = coarser(widest, dtype)
    return float(float_info(widest).eps) / 2


def _share(found: float, limit: float) -> float:
    if found == 0:
        return 0.0
    return found / limit if limit else math.inf
