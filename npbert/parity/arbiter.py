"""The third voice: the forward pass in float64, on the weights and the config of one side.

It says how far each side is from what the model should give, and so which of two is wrong. It is
`npbert.reference`, whose stages are compared as they come by: all of them at once, in float64, are
more than the two sides together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

from npbert.config import BertConfig
from npbert.parity.difference import Spread, kept_positions, spread
from npbert.parity.graph import graph
from npbert.parity.layouts import OF_HEADS
from npbert.parity.replay import Replay
from npbert.parity.types import Array, Inputs, Source, Stages
from npbert.reference import forward
from npbert.weights.names import weight_shapes

_TABLE = "token_embedding/embeddings"


@dataclasses.dataclass(frozen=True)
class Model:
    """What a side says that it computes.

    Args:
        config, weights: the side's own.
        side: which one.
    """

    config: BertConfig
    weights: Mapping[str, Array]
    side: Literal["a", "b"]


def find_model(
    a: Source, b: Source, weights: tuple[Mapping[str, Array] | None, Mapping[str, Array] | None]
) -> Model | None:
    """The model of ``a``, or else of ``b``; None if neither shows a config and all its weights."""
    sides: tuple[Literal["a", "b"], ...] = ("a", "b")
    for side, source, tensors in zip(sides, (a, b), weights):
        if source.config is not None and tensors is not None and _whole(source.config, tensors):
            return Model(source.config, tensors, side)
    return None


def _whole(config: BertConfig, weights: Mapping[str, Array]) -> bool:
    shapes = weight_shapes(config, pooler="pooled_dense/kernel" in weights)
    return all(name in weights and weights[name].shape == shapes[name] for name in shapes)


def takes(model: Model, inputs: Inputs) -> bool:
    """Whether these ids are in the model's tables."""
    tokens, segments = np.asarray(inputs["token_ids"]), np.asarray(inputs["segment_ids"])
    return (
        tokens.shape[1] <= model.config.max_sequence_length
        and bool(tokens.min(initial=0) >= 0 and segments.min(initial=0) >= 0)
        and int(tokens.max(initial=0)) < model.config.vocabulary_size
        and int(segments.max(initial=0)) < model.config.num_segments
    )


def shaped(stages: Stages, config: BertConfig, shape: tuple[int, ...]) -> dict[str, Array]:
    """The stages that a model of ``config`` has for inputs of ``shape``, if they have theirs."""
    (B, T), D = shape, config.hidden_dim
    N, H = config.num_heads, config.head_dim
    ends = {
        **dict.fromkeys(OF_HEADS, (B, T, N, H)),
        **dict.fromkeys(("scores", "probs"), (B, N, T, T)),
        **dict.fromkeys(("intermediate", "activation"), (B, T, config.intermediate_dim)),
        "pooled_output": (B, D),
    }
    return {
        stage: stages[stage]
        for stage in graph(config)
        if stage in stages and stages[stage].shape == ends.get(stage.rpartition(".")[2], (B, T, D))
    }


class Arbiter:
    """One model in float64 on one batch.

    Args:
        model: what is taken for right.
        inputs: ids that it `takes`.
    """

    def __init__(self, model: Model, inputs: Inputs) -> None:
        self.model, self.mask = model, np.asarray(inputs["padding_mask"])
        # Of the largest table, only the rows that are looked up.
        used, ids = np.unique(inputs["token_ids"], return_inverse=True)
        weights = {**model.weights, _TABLE: model.weights[_TABLE][used]}
        self.weights = {name: np.asarray(w, np.float64) for name, w in weights.items()}
        self.inputs = {
            "token_ids": ids.reshape(self.mask.shape),
            "segment_ids": np.asarray(inputs["segment_ids"]),
            "padding_mask": self.mask,
        }

    def errors(self, *sides: Stages) -> dict[str, tuple[Spread | None, ...]]:
        """Of every stage, how far each side is from float64; None where a side does not show it."""
        found: dict[str, tuple[Spread | None, ...]] = {}

        def seen(stage: str, value: Array) -> None:
            found[stage] = tuple(self._error(stage, side.get(stage), value) for side in sides)

        forward(self.model.config, self.weights, *self.inputs.values(), seen=seen)
        return found

    def local_errors(self, stages: Stages) -> dict[str, Spread | None]:
        """Of each of these stages, how far its op is from float64 on the side's own input."""
        usable = shaped(stages, self.model.config, self.mask.shape)
        replay = Replay(graph(self.model.config), self.weights, self.inputs, usable)
        return {stage: self._local(replay, stage) for stage in usable}

    def _local(self, replay: Replay, stage: str) -> Spread | None:
        made = replay.compute(stage)
        return None if made is None else self._error(stage, replay.stages[stage], made)

    def _error(self, stage: str, found: Array | None, exact: Array) -> Spread | None:
        if found is None or found.shape != exact.shape:
            return None
        return spread(found, exact, kept_positions(stage, found.shape, self.mask))
