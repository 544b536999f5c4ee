"""The whole forward pass of BERT in plain NumPy, on one screen.

It computes in the dtype of its weights. In float64 it is the arbiter of every other path, and the
place to read first: each line is one op of `npbert.ops`, and each `seen` names what that op made.
Needs NumPy, and SciPy for the erf GELU. Source: keras_hub/src/models/bert/bert_backbone.py. Shapes:
see `npbert.shapes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from npbert.config import BertConfig
from npbert.ops.attention import attention
from npbert.ops.dense import dense_heads, join_heads
from npbert.ops.embedding import add_embeddings, lookup
from npbert.ops.feed_forward import feed_forward
from npbert.ops.layer_norm import layer_norm
from npbert.ops.pooler import pooler
from npbert.ops.types import Array

Seen = Callable[[str, Array], Any]
"""Receives the name of a stage and its value, as the forward pass comes by."""


def forward(
    config: BertConfig,
    weights: Mapping[str, Array],
    token_ids: Array,  # (B, T)
    segment_ids: Array,  # (B, T)
    padding_mask: Array,  # (B, T), nonzero keeps
    *,
    seen: Seen = lambda stage, value: None,
    round_constants: Callable[[float], float] = float,
) -> dict[str, Array]:
    """``sequence_output`` (B, T, D) and, if the weights have a pooler, ``pooled_output`` (B, D).

    Args:
        config: the model's.
        weights: its tensors under Keras Hub's variable paths, all of one dtype.
        token_ids, segment_ids, padding_mask: valid arrays; nothing is checked here.
        seen: called with every stage of the forward pass.
        round_constants: applied to 0.044715 and 1 / sqrt(H). TensorFlow's float64 rounds both to
            float32 first; ``lambda c: float(np.float32(c))`` does the same.
    """
    epsilon = config.layer_norm_epsilon
    scale = round_constants(1 / math.sqrt(config.head_dim))
    cubic = round_constants(0.044715)

    token = lookup(weights["token_embedding/embeddings"], token_ids)
    position = weights["position_embedding/embeddings"][: token_ids.shape[1]]
    position = np.broadcast_to(position, token.shape)
    segment = lookup(weights["segment_embedding/embeddings"], segment_ids)
    x = add_embeddings(token, position, segment)
    for name, value in zip(("token", "position", "segment", "sum"), (token, position, segment, x)):
        seen(f"embeddings.{name}", value)
    x = layer_norm(x, *_pair(weights, "embeddings_layer_norm", "gamma", "beta"), epsilon=epsilon)
    seen("embeddings.layer_norm", x)

    for i in range(config.num_layers):
        layer, stage = f"transformer_layer_{i}", f"layer.{i}"
        dense = f"{layer}/self_attention_layer"
        query, key, value = (
            dense_heads(x, *_pair(weights, f"{dense}/{name}")) for name in ("query", "key", "value")
        )
        fused = config.dropout == 0
        attended = attention(query, key, value, padding_mask, fused=fused, scale=scale)
        joined = join_heads(attended.context, *_pair(weights, f"{dense}/attention_output"))
        residual = joined + x
        norm = _pair(weights, f"{layer}/self_attention_layer_norm", "gamma", "beta")
        y = layer_norm(residual, *norm, epsilon=epsilon)
        block = feed_forward(
            y,
            *_pair(weights, f"{layer}/feedforward_intermediate_dense"),
            *_pair(weights, f"{layer}/feedforward_output_dense"),
            activation=config.activation,
            cubic=cubic,
        )
        output = block.output + y
        norm = _pair(weights, f"{layer}/feedforward_layer_norm", "gamma", "beta")
        x = layer_norm(output, *norm, epsilon=epsilon)
        stages = {
            "query": query,
            "key": key,
            "value": value,
            **attended._asdict(),
            "attention_output": joined,
            "attention_residual": residual,
            "attention_layer_norm": y,
            **block._asdict(),
            "output_residual": output,
            "output_layer_norm": x,
        }
        for name, array in stages.items():
            seen(f"{stage}.{name}", array)

    outputs = {"sequence_output": x}
    if "pooled_dense/kernel" in weights:
        outputs["pooled_output"] = pooler(x, *_pair(weights, "pooled_dense"))
    for name, value in outputs.items():
        seen(name, value)
    return outputs


def _pair(weights: Mapping[str, Array], layer: str, *names: str) -> tuple[Array, Array]:
    first, second = names or ("kernel", "bias")
    return weights[f"{layer}/{first}"], weights[f"{layer}/{second}"]
