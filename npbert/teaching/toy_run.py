"""The toy BERT on three texts, every stage in float64: what learners' results are compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np

from npbert.config import BertConfig
from npbert.ops.heads import masked_lm_head
from npbert.ops.types import Array
from npbert.parity.graph import graph
from npbert.parity.mistakes.pooling import POOLING, VECTOR, Way
from npbert.reference import forward
from npbert.teaching.exercise import Model
from npbert.teaching.model import toy
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessors import BertTextClassifierPreprocessor

TEXTS: Final = (
    "the river bank",
    "she put money in the bank.",
    ("he sat on the bank of the river.", "it is green."),
)
TOKENS: Final = 17
"""T: the longest has 16, so that every row has padding."""

MASKED: Final = "she put money in the [MASK]."

_HEAD: Final = (
    *("intermediate_dense/kernel", "intermediate_dense/bias"),
    *("intermediate_layer_norm/gamma", "intermediate_layer_norm/beta", "output_bias"),
)

_loaded = cache(toy)


@cache
def toy_run(activation: str | None = None) -> Model:
    """What the toy computes for `TEXTS`; ``"gelu"`` gives it the erf form of the activation."""
    config = _loaded().backbone.config
    if activation:
        config = dataclasses.replace(config, activation=activation)
    return run(config, encode(TEXTS))


def encode(texts: tuple[Any, ...]) -> dict[str, Array]:
    """(B, T) each; a pair of texts is a tuple."""
    reader = BertTextClassifierPreprocessor(tokenizer(), TOKENS)
    rows = [reader(text) for text in texts]
    return {name: np.stack([row[name] for row in rows]).astype(np.int64) for name in rows[0]}


@cache
def _weights() -> dict[str, Array]:
    tensors = dict(_loaded().backbone.weights())
    return {name: np.asarray(tensor, np.float64) for name, tensor in tensors.items()}


def run(config: BertConfig, inputs: Mapping[str, Array]) -> Model:
    """The forward pass with the toy's weights."""
    stages: dict[str, Array] = {}
    ids = (inputs[name] for name in ("token_ids", "segment_ids", "padding_mask"))
    forward(config, _weights(), *ids, seen=stages.__setitem__)
    steps = graph(config) | Way("mean pooling", "normalized to length 1").steps(config.hidden_dim)
    for stage in (POOLING, VECTOR):
        values = {**inputs, **stages}
        stages[stage] = steps[stage].op(*(values[name] for name in steps[stage].inputs))
    return Model(config, steps, _weights(), inputs, stages)


def changed(model: Model, stages: Mapping[str, Array] | None = None, **config: Any) -> Model:
    """The model with other values at some stages, or with another config."""
    other = dataclasses.replace(model.config, **config)
    return model._replace(
        config=other, steps=graph(other), stages={**model.stages, **(stages or {})}
    )


def fill(sequence_output: Array, place: int) -> str:
    """The likeliest token at one place of one text.  (1, T, D) -> token"""
    model = _loaded()
    tensors = {name: np.asarray(tensor, np.float64) for name, tensor in model.weights()}
    kernel, bias, gamma, beta, output_bias = (tensors[f"mlm_head/{name}"] for name in _HEAD)
    logits = masked_lm_head(
        sequence_output[:, place],
        kernel,
        bias,
        gamma,
        beta,
        tensors["token_embedding/embeddings"],
        output_bias,
        activation=model.intermediate_activation,
        epsilon=model.layer_norm_epsilon,
    )
    return str(tokenizer().id_to_token(int(logits[0].argmax())))


def tokenizer() -> BertTokenizer:
    """The toy's."""
    found = _loaded().preprocessor.tokenizer  # type: ignore[union-attr]
    assert isinstance(found, BertTokenizer)
    return found
