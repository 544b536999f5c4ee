"""The form in which a mistake is written down: where it can be, what it computes, how to put it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from npbert.config import BertConfig
from npbert.ops.types import Array
from npbert.parity.graph import Graph, Step
from npbert.parity.replay import Variant

NORMS = ("layer_norm", "attention_layer_norm", "output_layer_norm")
HEADS = ("query", "key", "value")
DENSES = (*HEADS, "attention_output", "intermediate", "output", "pooled_output")
RESIDUALS = ("attention_residual", "output_residual")


class Where(NamedTuple):
    """A stage that a mistake may have been made at."""

    steps: Graph
    stage: str
    config: BertConfig
    seen: Array | None
    """What was recorded there, for a mistake that draws at random; None if it was not."""

    @property
    def step(self) -> Step:
        """The stage's own."""
        return self.steps[self.stage]

    @property
    def kind(self) -> str:
        """``"query"`` of ``"layer.2.query"``."""
        return self.stage.rpartition(".")[2]

    @property
    def layer(self) -> int:
        """2 of ``"layer.2.query"``; -1 outside the layers."""
        return layer_of(self.stage)

    def beside(self, kind: str) -> str:
        """The stage of another kind in the same layer."""
        return f"{self.stage.rpartition('.')[0]}.{kind}"

    def replaced(self, op: Callable[..., Array]) -> Variant:
        """The same inputs and weights, but another op."""
        return {self.stage: self.step._replace(op=op)}


class Offer(NamedTuple):
    """One form of a mistake: ``says`` goes on from "b's layer.2.query"."""

    says: str
    variant: Variant


Offers: TypeAlias = Iterator[Offer]


class Cause(NamedTuple):
    """A mistake. ``kinds`` are the stages at which it can be made."""

    key: str
    kinds: tuple[str, ...]
    offers: Callable[[Where], Offers]
    fix: str

    def at(self, where: Where) -> Offers:
        """Its forms at this stage, if it can be made there."""
        if where.kind in self.kinds:
            yield from self.offers(where)


def one(says: str, change: Callable[..., Callable[..., Array]]) -> Callable[[Where], Offers]:
    """Offers of a mistake that has one form: ``change`` makes the wrong op from the right one."""

    def offers(where: Where) -> Offers:
        yield Offer(says, where.replaced(change(where.step.op)))

    return offers


def layer_of(stage: str) -> int:
    """The number of the layer that a stage is in; -1 outside the layers."""
    part = stage.split(".")
    return int(part[1]) if part[0] == "layer" else -1
