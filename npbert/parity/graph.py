"""The forward pass as a table: each stage, the op that makes it, and what the op is given.

The same ops in the same order as `npbert.reference.forward`; as a table, any one of them can be
computed alone, or be replaced by another. Shapes: see `npbert.shapes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from npbert.config import BertConfig
from npbert.ops.dense import dense, dense_heads, join_heads
from npbert.ops.embedding import add_embeddings, lookup
from npbert.ops.gelu import gelu, gelu_approximate
from npbert.ops.layer_norm import layer_norm
from npbert.ops.pooler import pooler
from npbert.ops.softmax import softmax
from npbert.ops.types import Array, IntArray


class Step(NamedTuple):
    """How one stage is made: ``op(*inputs, *weights)``."""

    op: Callable[..., Array]
    inputs: tuple[str, ...]
    """Stages, or names of the model's inputs."""
    weights: tuple[str, ...] = ()
    """Keras Hub's variable paths."""


Graph: TypeAlias = Mapping[str, Step]
"""Stage -> step, in the order of computation."""

GELUS = {"gelu_approximate": gelu_approximate, "gelu": gelu}


def graph(config: BertConfig) -> dict[str, Step]:
    """Every stage of a model of ``config``."""
    steps = _embeddings(config)
    x = "embeddings.layer_norm"
    for i in range(config.num_layers):
        steps |= _layer(config, i, x)
        x = f"layer.{i}.output_layer_norm"
    steps["sequence_output"] = Step(np.asarray, (x,))
    steps["pooled_output"] = Step(pooler, ("sequence_output",), kernel_bias("pooled_dense"))
    return steps


def _embeddings(config: BertConfig) -> dict[str, Step]:
    at = "embeddings"
    epsilon = config.layer_norm_epsilon
    return {
        f"{at}.token": Step(look_up, ("token_ids",), ("token_embedding/embeddings",)),
        f"{at}.position": Step(positions, ("token_ids",), ("position_embedding/embeddings",)),
        f"{at}.segment": Step(look_up, ("segment_ids",), ("segment_embedding/embeddings",)),
        f"{at}.sum": Step(add_embeddings, (f"{at}.token", f"{at}.position", f"{at}.segment")),
        f"{at}.layer_norm": Step(
            partial(layer_norm, epsilon=epsilon),
            (f"{at}.sum",),
            gamma_beta("embeddings_layer_norm"),
        ),
    }


def _layer(config: BertConfig, i: int, x: str) -> dict[str, Step]:
    at, layer = f"layer.{i}", f"transformer_layer_{i}"
    attention = f"{layer}/self_attention_layer"
    norm = partial(layer_norm, epsilon=config.layer_norm_epsilon)
    scaled = partial(scores, scale=1 / math.sqrt(config.head_dim))
    kept = partial(probs, fused=config.dropout == 0)
    y = f"{at}.attention_layer_norm"
    heads = {
        f"{at}.{name}": Step(dense_heads, (x,), kernel_bias(f"{attention}/{name}"))
        for name in ("query", "key", "value")
    }
    return heads | {
        f"{at}.scores": Step(scaled, (f"{at}.query", f"{at}.key")),
        f"{at}.probs": Step(kept, (f"{at}.scores", "padding_mask")),
        f"{at}.context": Step(context, (f"{at}.probs", f"{at}.value")),
        f"{at}.attention_output": Step(
            join_heads, (f"{at}.context",), kernel_bias(f"{attention}/attention_output")
        ),
        f"{at}.attention_residual": Step(np.add, (f"{at}.attention_output", x)),
        y: Step(norm, (f"{at}.attention_residual",), gamma_beta(f"{attention}_norm")),
        f"{at}.intermediate": Step(
            dense, (y,), kernel_bias(f"{layer}/feedforward_intermediate_dense")
        ),
        f"{at}.activation": Step(GELUS[config.activation], (f"{at}.intermediate",)),
        f"{at}.output": Step(
            dense, (f"{at}.activation",), kernel_bias(f"{layer}/feedforward_output_dense")
        ),
        f"{at}.output_residual": Step(np.add, (f"{at}.output", y)),
        f"{at}.output_layer_norm": Step(
            norm, (f"{at}.output_residual",), gamma_beta(f"{layer}/feedforward_layer_norm")
        ),
    }


def kernel_bias(layer: str) -> tuple[str, str]:
    """The names of a dense layer's two tensors."""
    return f"{layer}/kernel", f"{layer}/bias"


def gamma_beta(layer: str) -> tuple[str, str]:
    """The names of a layer norm's two tensors."""
    return f"{layer}/gamma", f"{layer}/beta"


# -- the ops that `npbert.ops` has under another form ----------------------------------------------


def look_up(ids: IntArray, table: Array) -> Array:
    """(B, T), (V, D) -> (B, T, D)"""
    return lookup(table, ids)


def positions(ids: IntArray, table: Array) -> Array:
    """The table's first rows, for every sequence.  (B, T), (P, D) -> (B, T, D)"""
    B, T = ids.shape
    return np.broadcast_to(table[:T], (B, T, table.shape[1]))


def scores(query: Array, key: Array, *, scale: float) -> Array:
    """(B, T, N, H) x2 -> (B, N, T, T), scaled, before the mask."""
    q, k = np.swapaxes(query, 1, 2), np.swapaxes(key, 1, 2)  # (B, N, T, H)
    return (q * q.dtype.type(scale)) @ np.swapaxes(k, 2, 3)


def probs(scores: Array, padding_mask: IntArray, *, fused: bool) -> Array:
    """(B, N, T, T), (B, T) -> (B, N, T, T); ``fused`` as in `npbert.ops.attention`."""
    kept = padding_mask != 0
    uniform = np.logical_and(fused, ~kept.any(axis=1))[:, None]  # (B, 1): no key is kept
    keys = np.broadcast_to((kept | uniform)[:, None, None, :], scores.shape)
    return softmax(np.where(uniform[:, :, None, None], scores.dtype.type(0), scores), keys)


def context(probs: Array, value: Array) -> Array:
    """(B, N, T, T), (B, T, N, H) -> (B, T, N, H); a key of no weight is dropped, NaN and all."""
    weighed = (probs != 0).any(axis=2)[..., None]  # (B, N, T, 1)
    v = np.where(weighed, np.swapaxes(value, 1, 2), value.dtype.type(0))  # (B, N, T, H)
    return np.swapaxes(probs @ v, 1, 2)
