"""Teacher forcing: each op of one side, computed again on what that side itself fed to it.

What comes out of an op is wrong because what went in was, or because the op is. Replayed in
float64 on the side's own recorded input, only the second remains: the op's *local* error. Where
the direct input was not recorded, the ops before it are replayed as well, back to the nearest
stages that were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import ml_dtypes
import numpy as np

from npbert.config import BertConfig
from npbert.ops.types import Array
from npbert.parity.difference import F64, distance, kept_positions
from npbert.parity.graph import Graph, Step, graph
from npbert.parity.types import Inputs, Stages

Variant: TypeAlias = Mapping[str, Step]
"""A hypothesis: the steps that are not as they should be, by stage."""

_TABLES: Final = "/embeddings"
_SMALLEST: Final = 2.0**-126


def replay(
    stage: str,
    config: BertConfig,
    weights: Mapping[str, Array],
    inputs: Inputs,
    stages: Stages,
    variant: Variant | None = None,
) -> Array | None:
    """``stage`` in float64, from the nearest recorded stages before it.

    Args:
        stage: what to compute; what ``stages`` has under its name is not looked at.
        config, weights: the model's, by which it should have been computed.
        inputs: what the side was given.
        stages: what the side recorded.
        variant: steps to take in place of the model's.

    Returns:
        None if something on the way is neither recorded nor can be computed: no such stage, no
        such tensor, inputs that were not recorded, or shapes that do not fit the op.
    """
    return Replay(graph(config), weights, inputs, stages).compute(stage, variant or {})


def local_error(
    stage: str,
    config: BertConfig,
    weights: Mapping[str, Array],
    inputs: Inputs,
    stages: Stages,
    variant: Variant | None = None,
) -> float | None:
    """The largest difference between what is recorded and `replay`, at kept positions."""
    return Replay(graph(config), weights, inputs, stages).error(stage, variant or {})


class Replay:
    """The ops of one model over what one side recorded.

    Args:
        steps: the model's.
        weights: by Keras Hub's variable paths, in any float dtype.
        inputs: what the side was given, (B, T) each.
        stages: what it recorded.
    """

    def __init__(
        self, steps: Graph, weights: Mapping[str, Array], inputs: Inputs, stages: Stages
    ) -> None:
        self.steps, self._weights, self._inputs, self.stages = dict(steps), weights, inputs, stages
        self._made: dict[tuple[str, Any], Array] = {}  # what no variant touches

    def follow(self, variant: Variant) -> None:
        """Take these steps from now on."""
        self.steps |= variant
        self._made.clear()

    def needed(self, stage: str, variant: Variant | None = None) -> list[str]:
        """The stages to compute for ``stage``, itself the last: those not recorded.

        Raises:
            KeyError: one of them is unknown.
        """
        steps = {**self.steps, **(variant or {})}
        order: list[str] = []
        # Depth first, with a stack of our own: what is pushed twice is done the second time.
        todo = [(stage, False)]
        while todo:
            name, ready = todo.pop()
            if name in order or (name != stage and self._given(name)):
                continue
            if ready:
                order.append(name)
                continue
            todo.append((name, True))
            todo += [(each, False) for each in reversed(steps[name].inputs)]
        return order

    def compute(
        self, stage: str, variant: Variant | None = None, dtype: Any = None
    ) -> Array | None:
        """See `replay`; ``dtype`` is the width to compute in, float64 unless given."""
        variant, dtype = variant or {}, np.dtype(dtype or np.float64)
        steps, other, values = {**self.steps, **variant}, set(variant), dict[str, Array]()
        try:
            for name in self.needed(stage, variant):
                if other.isdisjoint((name, *steps[name].inputs)):
                    values[name] = self._unchanged(name, stage, values, dtype)
                else:
                    other.add(name)
                    values[name] = self._apply(steps[name], values, dtype)
        except (KeyError, ValueError, IndexError):  # ValueError: recorded in another shape
            return None
        return values[stage]

    def error(self, stage: str, variant: Variant | None = None) -> float | None:
        """See `local_error`."""
        apart = self.apart(stage, variant)
        return None if apart is None else float(np.max(apart, initial=0.0))

    def apart(self, stage: str, variant: Variant | None = None) -> F64 | None:
        """Every absolute difference from what is recorded, at kept positions."""
        made = self.compute(stage, variant)
        if made is None or stage not in self.stages or made.shape != self.stages[stage].shape:
            return None
        return self._apart(stage, np.asarray(self.stages[stage], np.float64), made)

    def noise(self, stage: str, variant: Variant | None = None) -> float:
        """What rounding may do to ``stage`` in the dtype that it is recorded in.

        It is what float32 does to NumPy, to inputs that are exact: the largest difference between
        the op in float32 and in float64, or one unit in the last place of the largest value where
        that is more. A coarser or finer dtype has as many times that noise as its unit is larger.
        It is never 0, for it is divided by.
        """
        made, rough = (self.compute(stage, variant, width) for width in (np.float64, np.float32))
        if made is None or rough is None:
            return _SMALLEST
        kept = self._kept(stage, made)
        unit = float(np.finfo(np.float32).eps)
        noise = unit * float(np.max(np.abs(kept[np.isfinite(kept)]), initial=0.0))
        noise = max(noise, float(np.max(self._apart(stage, made, rough), initial=0.0)))
        return max(noise * _eps(self.stages[stage].dtype) / unit, _SMALLEST)

    def _apart(self, stage: str, a: Array, b: Array) -> F64:
        apart = distance(np.asarray(a, np.float64), np.asarray(b, np.float64))
        return self._kept(stage, apart)

    def _kept(self, stage: str, values: Array) -> Array:
        if stage.endswith("probs"):  # they count at masked keys too, where they are to be 0
            stage, values = "", np.swapaxes(values, 1, 2)  # (B, T, N, T), queries first
        kept = kept_positions(stage, values.shape, self._inputs["padding_mask"])
        return values if kept is None else values[kept]

    def _given(self, name: str) -> bool:
        return name in self.stages or name in self._inputs

    def _unchanged(self, name: str, stage: str, values: dict[str, Array], dtype: Any) -> Array:
        if name == stage:
            return self._apply(self.steps[name], values, dtype)
        if (name, dtype) not in self._made:
            self._made[name, dtype] = self._apply(self.steps[name], values, dtype)
        return self._made[name, dtype]

    def _apply(self, step: Step, values: dict[str, Array], dtype: Any) -> Array:
        """One op; ids stay integers, and a table is widened after the lookup, being large."""
        found = [self._value(name, values, dtype) for name in step.inputs]
        tensors = [self._weights[name] for name in step.weights]
        tensors = [
            tensor if name.endswith(_TABLES) else np.asarray(tensor, dtype)
            for name, tensor in zip(step.weights, tensors)
        ]
        with np.errstate(all="ignore"):  # what a mistake overflows is compared all the same
            return np.asarray(step.op(*found, *tensors), dtype)

    def _value(self, name: str, values: dict[str, Array], dtype: Any) -> Array:
        if name in values:
            return values[name]
        if name in self._inputs:
            return self._inputs[name]
        return np.asarray(self.stages[name], dtype)


def _eps(dtype: np.dtype[Any]) -> float:
    return float(ml_dtypes.finfo(dtype).eps)  # type: ignore[no-untyped-call]
