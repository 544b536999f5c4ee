"""What an exercise consists of: a function to write, the places where the real model uses it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from npbert.config import BertConfig
from npbert.ops.types import Array
from npbert.parity.graph import Graph, Step
from npbert.parity.types import Inputs

Function: TypeAlias = Callable[..., Any]
"""A learner's, or the right one."""


class Model(NamedTuple):
    """A model and all that it computes for some texts, in float64."""

    config: BertConfig
    steps: Graph
    weights: Mapping[str, Array]
    inputs: Inputs
    stages: Mapping[str, Array]


class Place(NamedTuple):
    """A stage of the model that is made by the function."""

    stage: str
    inputs: tuple[str, ...]
    """Stages, or names of the model's inputs."""
    weights: tuple[str, ...] = ()
    arguments: Callable[..., tuple[Any, ...]] = lambda *x: x
    """The function's arguments, of the inputs' and the weights' values."""
    masks: bool = False
    """Whether it is attention, where what a masked query receives does not count."""

    def step(self, function: Function) -> Step:
        """The stage made by another function."""
        return Step(lambda *x: function(*self.arguments(*x)), self.inputs, self.weights)


class Mistake(NamedTuple):
    """What learners write instead: ``says`` goes on from "Your layer_norm"."""

    key: str
    says: str
    function: Function
    fix: str


class Exercise(NamedTuple):
    """One name that `npbert.check` knows."""

    call: str
    """``"layer_norm(x, gamma, beta, epsilon)"``"""
    shapes: str
    right: Function
    tiny: tuple[Any, ...]
    """Arguments that fit on the screen."""
    mistakes: tuple[Mistake, ...]
    read: str
    """Where npbert does it."""
    places: Callable[[BertConfig], list[Place]] = lambda config: []
    harder: tuple[Callable[[Model], Model], ...] = ()
    """Changes to the model that bring out what its own numbers hide."""
    cases: Callable[[], list[tuple[Any, ...]]] = list
    """Arguments besides those that the model gives."""
    activation: str | None = None
    """Of the model, where it is to be another than the toy's."""
    overflows: bool = False
    """Whether exp is in it, which gives infinity for large numbers."""
    texts: bool = False
    """Whether it is about texts, before there are arrays."""

    @property
    def name(self) -> str:
        return self.call.partition("(")[0]

    @property
    def parameters(self) -> list[str]:
        """``["x", "gamma", "beta", "epsilon"]``"""
        return self.call.partition("(")[2].rstrip(")").split(", ")
