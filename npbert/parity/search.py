"""Which known mistake makes an error vanish: each is tried on the guilty op's own input.

A mistake is named only if the op, made with it, gives what was recorded, up to rounding. A smaller
error is not enough: what is wrong may be something that nobody has written down yet.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from npbert.config import BertConfig
from npbert.parity.causes import CAUSES
from npbert.parity.difference import root_mean_square
from npbert.parity.graph import Step
from npbert.parity.mistakes.cause import Cause, Where, layer_of
from npbert.parity.replay import Replay, Variant
from npbert.parity.types import Array

EXPLAINED: Final = 8.0
"""An error of so many times the noise is rounding: other orders of summation, other polynomials."""

FALLS: Final = 5.0
"""An error must fall by this factor for its cause to be named."""

AS_GOOD: Final = 1.5
"""Hypotheses that leave up to this factor of the smallest remaining error cannot be told apart."""

PATIENCE: Final = 60.0
"""Seconds for one stage, where many layers lie between it and what was recorded before it."""

WEIGHTS: Final = "weights_differ"
FIX_WEIGHTS: Final = "load the same weights into both sides"


class Found(NamedTuple):
    """What explains a stage's error."""

    cause: str
    says: str
    fix: str
    variant: Variant
    before: float
    after: float
    rms: float
    score: int = 0
    """Further stages that it explains, less those that it would break."""
    others: tuple[str, ...] = ()
    """What explains it as well."""


class Suspect:
    """One side of a comparison, and what is known of its ops.

    Args:
        replay: its ops, by the model that it should be.
        config: that model's.
        tolerances: stage -> what is let pass, where there is such a limit.
        own: tensors of the side's own that are not the model's: name -> (tensor, in words).
        slack: stage -> what is to be taken for rounding there, whatever float32 does to the op.
    """

    def __init__(
        self,
        replay: Replay,
        config: BertConfig,
        tolerances: Mapping[str, float],
        own: Mapping[str, tuple[Array, str]] | None = None,
        slack: Mapping[str, float] | None = None,
    ) -> None:
        self.replay, self.config, self._own = replay, config, own or {}
        self._tolerances, self._slack = tolerances, slack or {}
        self.hurried = False
        """Whether there was no time to try all mistakes, when one was last looked for."""

    def off(self, stage: str) -> bool:
        """Whether the op that makes ``stage`` is off by more than is let pass."""
        error = self.replay.error(stage)
        if error is None or error <= self._tolerances.get(stage, 0.0):
            return False
        return error > self.limit(stage)

    def limit(self, stage: str, variant: Variant | None = None) -> float:
        """The largest error that rounding may make here."""
        return max(EXPLAINED * self.replay.noise(stage, variant), self._slack.get(stage, 0.0))

    def excess(self, stage: str) -> float:
        """The op's error in units of what rounding does to it; 0 if it was not recorded."""
        error = self.replay.error(stage)
        return error / self.replay.noise(stage) if error else 0.0

    def explain(self, stage: str, only: str | None = None) -> Found | None:
        """The mistake that explains the error at ``stage``, if one does; ``only`` is its key."""
        before = self.replay.error(stage)
        assert before is not None
        self.hurried = False
        found: list[Found] = []
        for hypotheses in self._hypotheses(stage):
            for cause, says, variant in hypotheses:
                if only in (None, cause.key):
                    one = self._tried(stage, before, cause, says, variant)
                    found += [one] if one else []
                if found and self._far(stage):
                    break
            if found:
                break
        else:
            return None
        found = [each._replace(score=self._score(stage, each.variant)) for each in found]
        best = max(each.score for each in found)
        found = [each for each in found if each.score == best]
        least = min(each.rms for each in found)
        as_good = max(AS_GOOD * least, self.replay.noise(stage) / 4)
        first, *others = [each for each in found if each.rms <= as_good]
        return first._replace(others=tuple(each.says for each in others))

    def _tried(
        self, stage: str, before: float, cause: Cause, says: str, variant: Variant
    ) -> Found | None:
        try:
            apart = self.replay.apart(stage, variant)
        except TypeError:  # for other inputs than an op has that follows a fault found before
            return None
        if apart is None:
            return None
        after = float(np.max(apart, initial=0.0))
        if after * FALLS > before or after > self.limit(stage, variant):
            return None
        return Found(cause.key, says, cause.fix, variant, before, after, root_mean_square(apart))

    def _score(self, stage: str, variant: Variant) -> int:
        """Of the other stages that depend on the variant: those set right less those set wrong."""
        score = 0
        for other in self.replay.stages:
            if other == stage or set(variant).isdisjoint(self.replay.needed(other, variant)):
                continue
            before, after = self.replay.error(other), self.replay.error(other, variant)
            if before is not None and after is not None:
                score += (after <= self.limit(other, variant)) - (before <= self.limit(other))
        return score

    def _hypotheses(self, stage: str) -> Iterator[Iterator[tuple[Cause, str, Variant]]]:
        """Known mistakes at the stage or between it and what was recorded before it.

        In one layer, first those that are made once; over many layers, first those that are made in
        all of them. The others only if none of these explains it.
        """
        between = self.replay.needed(stage)
        each = chain.from_iterable(self._at(name, stage) for name in reversed(between))
        if not self._far(stage):
            yield each
            yield self._in_every_layer(between, "several ops")
            return
        deadline = time.monotonic() + PATIENCE
        yield self._until(deadline, self._in_every_layer(between, "ops all over the model"))
        yield self._until(deadline, each)

    def _far(self, stage: str) -> bool:
        """Whether many layers lie before the stage: each guess takes long, and one has to do."""
        return len({layer_of(name) for name in self.replay.needed(stage)} - {-1}) > 1

    def _until(
        self, deadline: float, hypotheses: Iterator[tuple[Cause, str, Variant]]
    ) -> Iterator[tuple[Cause, str, Variant]]:
        for hypothesis in hypotheses:
            if time.monotonic() > deadline:
                self.hurried = True
                return
            yield hypothesis

    def _at(self, name: str, stage: str) -> Iterator[tuple[Cause, str, Variant]]:
        seen = self.replay.stages[stage] if name == stage else None
        where = Where(self.replay.steps, name, self.config, seen)
        words = "" if name == stage else f"comes from {name}, which "
        for cause in CAUSES.values():
            for says, variant in cause.at(where):
                yield cause, words + says, variant
        yield from self._own_tensors(name, words)

    def _own_tensors(self, name: str, words: str) -> Iterator[tuple[Cause, str, Variant]]:
        """The op with the side's own weights, where they are other ones."""
        step = self.replay.steps[name]
        own = {tensor: self._own[tensor] for tensor in step.weights if tensor in self._own}
        if not own:
            return
        at = {len(step.inputs) + step.weights.index(tensor): tensor for tensor in own}

        def op(*x: Array) -> Array:
            return step.op(
                *(own[at[i]][0].astype(a.dtype) if i in at else a for i, a in enumerate(x))
            )

        says = words + "has other weights: " + "; ".join(f"{t} is {own[t][1]}" for t in own)
        cause = Cause(WEIGHTS, (), lambda where: iter(()), FIX_WEIGHTS)
        yield cause, says, {name: step._replace(op=op)}

    def _in_every_layer(
        self, between: list[str], everywhere: str
    ) -> Iterator[tuple[Cause, str, Variant]]:
        """The same mistake in all layers at once, which is how most are made.

        At one kind of stage; and where it can be made at several, at all of them, ``everywhere``.
        """
        for cause in CAUSES.values():
            merged: dict[tuple[str, int], tuple[str, dict[str, Step]]] = {}
            for name in between:
                where = Where(self.replay.steps, name, self.config, None)
                for number, (says, variant) in enumerate(cause.at(where)):
                    if {layer_of(stage) for stage in variant} == {where.layer}:
                        for kind in (where.kind, ""):
                            merged.setdefault((kind, number), (says, {}))[1].update(variant)
            of_kinds = [set(variant) for (kind, _), (_, variant) in merged.items() if kind]
            for (kind, _), (says, variant) in merged.items():
                if kind:
                    yield cause, f"comes from layers whose {kind} {says}", variant
                elif set(variant) not in of_kinds:
                    words = f"comes from {everywhere}, each of which {says}"
                    yield cause, words, variant
