"""Mistakes at the pooler: another token, another activation, or none."""

from __future__ import annotations

from typing import Final

import numpy as np

from npbert.ops.dense import dense
from npbert.ops.gelu import gelu
from npbert.ops.relu import relu
from npbert.ops.sigmoid import sigmoid
from npbert.ops.types import Array, IntArray
from npbert.parity.graph import Step
from npbert.parity.mistakes.cause import Cause, Offer, Offers, Where

_AT: Final = ("pooled_output",)


def _activation(where: Where) -> Offers:
    others = {"no activation": np.asarray, "ReLU": relu, "GELU": gelu, "sigmoid": sigmoid}
    for name, activate in others.items():

        def op(x: Array, kernel: Array, bias: Array, activate=activate) -> Array:  # type: ignore
            return activate(dense(x[:, 0], kernel, bias))

        yield Offer(f"has {name}, where tanh is expected", where.replaced(op))


def last_kept(x: Array, mask: IntArray) -> Array:
    """(B, T, D), (B, T) -> (B, D)"""
    columns = np.arange(mask.shape[1])
    last = np.where(mask != 0, columns, 0).max(axis=1)
    return x[np.arange(len(x)), last]


def mean_kept(x: Array, mask: IntArray) -> Array:
    """(B, T, D), (B, T) -> (B, D)"""
    kept = (mask != 0)[..., None]
    return (x * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)


def _token(where: Where) -> Offers:
    op = where.step.op
    forms = {
        "the second token": lambda x, mask: x[:, 1] if x.shape[1] > 1 else x[:, 0],
        "the last token": lambda x, mask: x[:, -1],
        "the last kept token": last_kept,
        "the mean of kept tokens": mean_kept,
        "the mean of all tokens": lambda x, mask: x.mean(axis=1),
        "the largest of all tokens": lambda x, mask: x.max(axis=1),
    }
    for name, pick in forms.items():

        def other(x: Array, mask: IntArray, kernel: Array, bias: Array, pick=pick) -> Array:  # type: ignore
            return op(pick(x, mask)[:, None], kernel, bias)

        step = Step(other, (*where.step.inputs, "padding_mask"), where.step.weights)
        yield Offer(f"is made of {name}, where the first is expected", {where.stage: step})


def _bare(where: Where) -> Offers:
    says = "is the first token's vector itself, without the pooler's dense layer"
    yield Offer(says, where.replaced(lambda x, kernel, bias: x[:, 0]))


CAUSES: Final = (
    Cause("pooler_activation", _AT, _activation, "apply tanh after the pooler's dense layer"),
    Cause("pooler_token", _AT, _token, "the pooler takes the first token's vector"),
    Cause("pooler_missing", _AT, _bare, "apply the pooler's dense layer and tanh"),
)
