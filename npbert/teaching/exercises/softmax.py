"""Softmax over the keys that are kept: what learners write instead."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from npbert.ops.types import Array, IntArray
from npbert.parity import graph
from npbert.teaching.exercise import Exercise, Mistake, Model, Place
from npbert.teaching.toy_run import changed


def softmax(scores: Array, mask: IntArray) -> Array:
    """(B, N, T, T), (B, T) -> (B, N, T, T)"""
    return graph.probs(scores, mask, fused=False)


def _weights(scores: Array, mask: IntArray) -> Array:
    """Before they are divided by their sum."""
    kept = mask[:, None, None, :] != 0
    return np.where(kept, np.exp(scores - scores.max(axis=-1, keepdims=True)), 0)


def _summed_over(scores: Array, mask: IntArray, axis: tuple[int, ...] | None) -> Array:
    """Each row's exponentials, divided by other sums; 0 / 0 where the mask leaves none."""
    weights = _weights(scores, mask)
    return weights / weights.sum(axis=axis, keepdims=True)


def _along(scores: Array, mask: IntArray, axis: int) -> Array:
    """A softmax along another axis, masked scores being -1e9."""
    masked = np.where(mask[:, None, None, :] != 0, scores, -1e9)
    weights = np.exp(masked - masked.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def _queries_masked(scores: Array, mask: IntArray) -> Array:
    kept = mask[:, None, :, None] != 0
    everything = np.ones((len(scores), scores.shape[-1]), np.int64)
    return softmax(np.where(kept, scores, -1e9), everything)


MISTAKES: Final = (
    Mistake(
        "softmax_not_divided",
        "does not divide by the sum: rows do not add up to 1",
        _weights,
        "divide each row by its sum, keepdims=True",
    ),
    Mistake(
        "softmax_not_divided",
        "does not divide by the sum: rows do not add up to 1",
        lambda scores, mask: np.where(mask[:, None, None, :] != 0, np.exp(scores), 0),
        "divide each row by its sum, keepdims=True",
    ),
    Mistake(
        "softmax_over_all",
        "divides by the sum over the whole array, where each row has its own sum",
        lambda scores, mask: _summed_over(scores, mask, None),
        "sum along the last axis, keepdims=True",
    ),
    Mistake(
        "softmax_over_head",
        "divides by the sum over all queries of a head, where each row has its own sum",
        lambda scores, mask: _summed_over(scores, mask, (2, 3)),
        "sum along the last axis alone, keepdims=True",
    ),
    *(
        Mistake(
            key,
            f"is a softmax over the {name} (axis {axis}), where the keys (axis -1) are expected",
            function,
            "take the softmax along the last axis, the keys: what one token hands out adds up to 1",
        )
        for key, name, axis in (("softmax_axis", "queries", -2), ("softmax_over_heads", "heads", 1))
        for function in (
            partial(_along, axis=axis),
            partial(_summed_over, axis=(axis,)),
        )
    ),
    Mistake(
        "queries_masked",
        "masks the queries: it is the keys of padding that nobody should look at",
        _queries_masked,
        "let the mask run along the last axis: mask[:, None, None, :]",
    ),
    Mistake(
        "log_softmax",
        "gives logarithms: it is a log-softmax",
        lambda scores, mask: np.log(softmax(scores, mask)),
        "leave out the log",
    ),
)


def _large_scores(model: Model) -> Model:
    """Up to 2000, in whole numbers, so that float32 has them exactly."""
    scores = model.stages["layer.0.scores"]
    large = np.round(scores * (2000 / np.abs(scores).max()))
    return changed(model, {"layer.0.scores": large})


SOFTMAX: Final = Exercise(
    call="softmax(scores, mask)",
    shapes="(B, N, T, T), (B, T) -> (B, N, T, T)",
    right=softmax,
    tiny=(np.array([[[[1.0, 2, 3], [0, 0, 4], [2, 1, 0]]]]), np.array([[1, 1, 0]])),
    mistakes=MISTAKES,
    read="npbert/ops/softmax.py",
    places=lambda config: [
        Place(f"{at}.probs", (f"{at}.scores", "padding_mask"), masks=True)
        for at in (f"layer.{i}" for i in range(config.num_layers))
    ],
    harder=(_large_scores,),
    overflows=True,
)
