"""Sources for tests: npbert's definitions in any dtype, or arrays that were recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import goldens
import numpy as np

from npbert import reference
from npbert.config import BertConfig
from npbert.parity.types import Array, Inputs, Stages, Tokens

Edit = Callable[[str, Array], Array]


@dataclasses.dataclass
class Side:
    """What a test wants a source to show; ``model`` runs, ``stages`` were recorded."""

    name: str = "side"
    kind: str = "test"
    config: BertConfig | None = None
    recorded: Inputs | None = None
    tensors: Mapping[str, Array] | None = None
    """What it says its weights are."""
    model: Mapping[str, Array] | None = None
    """The weights that it computes with."""
    stages: Stages = dataclasses.field(default_factory=dict)
    tokens: Tokens | None = None
    vectors: Stages | None = None
    hidden: Sequence[str] = ()
    """The ends of the stages that it does not show."""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def weights(self) -> Mapping[str, Array] | None:
        return self.tensors

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        return self.tokens

    def encode(self, texts: Sequence[str]) -> Stages | None:
        return self.vectors

    def run(self, inputs: Inputs) -> Stages:
        found: dict[str, Array] = dict(self.stages)
        if self.model is not None:
            assert self.config is not None
            reference.forward(self.config, self.model, **inputs, seen=found.__setitem__)
        return {k: v for k, v in found.items() if not k.endswith(tuple(self.hidden) or ("-",))}


def golden(case: str, dtype: type = np.float32, **changes: object) -> Side:
    """A golden case's model in the definitions."""
    weights = goldens.weights(case, dtype)
    config, name = goldens.config(case), f"{case} in {np.dtype(dtype)}"
    side = Side(name, config=config, tensors=weights, model=weights)
    return dataclasses.replace(side, **changes)


def edited(case: str, name: str, edit: Callable[[Array], Array], dtype: type = np.float32) -> Side:
    """The same with one tensor that is not as it should be, though the side shows it as it is."""
    weights = goldens.weights(case, dtype)
    weights[name] = np.ascontiguousarray(edit(weights[name]))
    return golden(case, dtype, name="edited", tensors=weights, model=weights)


def recorded(case: str, source: str) -> Side:
    """What a framework gave for a golden case, without its weights."""
    stages = goldens.bundle(case).group(source)
    return Side(f"{case} of {source}", recorded=goldens.inputs(case), stages=stages)
