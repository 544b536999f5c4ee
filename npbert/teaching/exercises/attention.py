"""Attention, and the heads that it takes: what learners write instead."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from npbert.config import BertConfig
from npbert.ops import attention as op
from npbert.ops.dense import dense
from npbert.ops.types import Array, IntArray
from npbert.parity import graph
from npbert.teaching.exercise import Exercise, Mistake, Place
from npbert.teaching.exercises import softmax as over_keys
from npbert.teaching.exercises.softmax import softmax


def _attention(query: Array, key: Array, value: Array, mask: IntArray) -> Array:
    return op.attention(query, key, value, mask, fused=False).context


def _shares(query: Array, key: Array, mask: IntArray) -> Array:
    return op.attention(query, key, query, mask, fused=False).probs


def _summed(probs: Array, value: Array) -> Array:
    return np.swapaxes(probs @ np.swapaxes(value, 1, 2), 1, 2)


def _scaled_after(query: Array, key: Array, value: Array, mask: IntArray) -> Array:
    scores = graph.scores(query, key, scale=1.0)
    return _summed(softmax(scores, mask) / math.sqrt(query.shape[-1]), value)


def _scores(query: Array, key: Array) -> Array:
    return graph.scores(query, key, scale=1 / math.sqrt(query.shape[-1]))


def _softmax_forgotten(query: Array, key: Array, value: Array, mask: IntArray) -> Array:
    return _summed(np.where(mask[:, None, None, :] != 0, _scores(query, key), 0), value)


def _transposed_shares(query: Array, key: Array, value: Array, mask: IntArray) -> Array:
    return _summed(np.swapaxes(_shares(query, key, mask), 2, 3), value)


_ATTENTION_MISTAKES: Final = (
    Mistake(
        "scale_after_softmax",
        "divides by sqrt(H) after the softmax, where the scores are to be divided",
        _scaled_after,
        "divide the scores, then take the softmax",
    ),
    Mistake(
        "softmax_forgotten",
        "sums up values by their scores: there is no softmax",
        _softmax_forgotten,
        "make shares of the scores first: softmax along the keys",
    ),
    Mistake(
        "shares_transposed",
        "has the shares transposed where the values are summed up",
        _transposed_shares,
        "multiply probs (T queries, T keys) by value (T keys, H)",
    ),
    Mistake(
        "heads_first",
        "returns (B, N, T, H): heads and tokens are not exchanged back",
        lambda q, k, v, m: np.swapaxes(_attention(q, k, v, m), 1, 2),
        "end with swapaxes(1, 2), so that each token has its N x H features side by side",
    ),
    Mistake(
        "heads_joined",
        "returns (B, T, D): the heads are joined, which is the next step's work",
        lambda q, k, v, m: _attention(q, k, v, m).reshape(*q.shape[:2], -1),
        "return (B, T, N, H)",
    ),
    Mistake(
        "values_forgotten",
        "returns the shares (B, N, T, T) themselves",
        lambda q, k, v, m: _shares(q, k, m),
        "multiply them by the values",
    ),
    *(
        mistake._replace(
            function=lambda q, k, v, m, wrong=mistake.function: _summed(wrong(_scores(q, k), m), v)
        )
        for mistake in over_keys.MISTAKES
    ),
)

ATTENTION: Final = Exercise(
    call="attention(query, key, value, mask)",
    shapes="(B, T, N, H) x3, (B, T) -> (B, T, N, H)",
    right=_attention,
    tiny=(
        np.array([[[[4.0, 0]], [[0, 4]], [[2, 2]]]]),
        np.array([[[[1.0, 0]], [[0, 1]], [[1, 1]]]]),
        np.array([[[[1.0, 5]], [[2, 6]], [[9, 9]]]]),
        np.array([[1, 1, 0]]),
    ),
    mistakes=_ATTENTION_MISTAKES,
    read="npbert/ops/attention.py",
    places=lambda config: [
        Place(
            f"{at}.context",
            (f"{at}.query", f"{at}.key", f"{at}.value", "padding_mask"),
            masks=True,
        )
        for at in (f"layer.{i}" for i in range(config.num_layers))
    ],
)


# -- heads -----------------------------------------------------------------------------------------


def _split(x: Array, num_heads: int) -> Array:
    return x.reshape(*x.shape[:-1], num_heads, -1)


def _dealt(x: Array, num_heads: int) -> Array:
    return np.swapaxes(x.reshape(*x.shape[:-1], -1, num_heads), -1, -2)


def _as_it_lies(x: Array, num_heads: int) -> Array:
    B, T, D = x.shape
    return x.reshape(B, num_heads, T, D // num_heads)


_SPLIT_MISTAKES: Final = (
    Mistake(
        "head_split",
        "deals the features out to the heads in turn, where each head has a run of them",
        _dealt,
        "reshape to (B, T, N, H): the first H features are head 0's",
    ),
    Mistake(
        "head_size_first",
        "has (B, T, H, N): head size and heads are the wrong way round",
        lambda x, n: x.reshape(*x.shape[:-1], -1, n),
        "reshape to (B, T, N, H)",
    ),
    Mistake(
        "head_view",
        "reshapes to (B, N, T, H) as it lies in memory, which mixes tokens and heads",
        _as_it_lies,
        "reshape to (B, T, N, H); only then may axes 1 and 2 be exchanged",
    ),
    Mistake(
        "head_view",
        "reshapes to (B, N, T, H) as it lies in memory, which mixes tokens and heads",
        lambda x, n: np.swapaxes(_as_it_lies(x, n), 1, 2),
        "reshape to (B, T, N, H); only then may axes 1 and 2 be exchanged",
    ),
    Mistake(
        "heads_first",
        "returns (B, N, T, H), where (B, T, N, H) is asked for",
        lambda x, n: np.swapaxes(_split(x, n), 1, 2),
        "leave out the exchange of axes: attention does it",
    ),
    Mistake(
        "heads_outside",
        "returns the heads as the first axis",
        lambda x, n: np.stack(np.split(x, n, axis=-1)),
        "stack them at axis 2: (B, T, N, H)",
    ),
)


def _heads(config: BertConfig) -> list[Place]:
    """Query, key and value, of which the model makes no array before they are split."""
    places, x = [], "embeddings.layer_norm"
    N, D = config.num_heads, config.hidden_dim

    def arguments(x: Array, kernel: Array, bias: Array) -> tuple[Any, ...]:
        return dense(x, kernel.reshape(D, D), bias.reshape(D)), N

    for i in range(config.num_layers):
        for name in ("query", "key", "value"):
            layer = f"transformer_layer_{i}/self_attention_layer/{name}"
            places.append(Place(f"layer.{i}.{name}", (x,), graph.kernel_bias(layer), arguments))
        x = f"layer.{i}.output_layer_norm"
    return places


SPLIT_HEADS: Final = Exercise(
    call="split_heads(x, num_heads)",
    shapes="(B, T, D), N -> (B, T, N, H)",
    right=_split,
    tiny=(np.arange(12.0).reshape(1, 3, 4), 2),
    mistakes=_SPLIT_MISTAKES,
    read="npbert/ops/dense.py",
    places=_heads,
)
