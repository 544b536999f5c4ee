"""Every exercise that `npbert.check` knows, in the order in which a text meets them.

A file for each part of the model. Each has the right function, taken from `npbert.ops`, and a table
of what learners write instead.
"""

from __future__ import annotations

from typing import Final

from npbert.teaching.exercise import Exercise
from npbert.teaching.exercises import (
    attention,
    feed_forward,
    norms,
    packing,
    softmax,
    vectors,
    wordpiece,
)

EXERCISES: Final[dict[str, Exercise]] = {
    exercise.name: exercise
    for exercise in (
        wordpiece.WORDPIECE,
        packing.PACK_PAIR,
        vectors.EMBEDDING_SUM,
        norms.LAYER_NORM,
        attention.SPLIT_HEADS,
        softmax.SOFTMAX,
        attention.ATTENTION,
        feed_forward.GELU,
        feed_forward.GELU_ERF,
        feed_forward.FEED_FORWARD,
        norms.RESIDUAL_NORM,
        feed_forward.POOLER,
        vectors.MEAN_POOLING,
        vectors.NORMALIZE,
        vectors.COSINE,
    )
}
"""Name -> exercise."""
