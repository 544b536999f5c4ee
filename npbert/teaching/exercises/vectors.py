"""From ids to vectors, and from vectors to a text's one: what learners write instead."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from npbert.ops.embedding import add_embeddings, lookup
from npbert.ops.pooling import l2_normalize
from npbert.ops.types import Array, IntArray
from npbert.parity.mistakes import pooling
from npbert.parity.mistakes.pooling import OVER_PADDING, POOLING, POOLS, VECTOR
from npbert.teaching.exercise import Exercise, Mistake, Place

_MEAN: Final = "mean pooling"
_KEPT: Final = "divide by the number of kept tokens, and leave none out"


# -- the three tables ------------------------------------------------------------------------------


def _embedding_sum(
    token_ids: IntArray,
    segment_ids: IntArray,
    token_table: Array,
    position_table: Array,
    segment_table: Array,
) -> Array:
    position = position_table[: token_ids.shape[1]]
    segment = lookup(segment_table, segment_ids)
    return add_embeddings(lookup(token_table, token_ids), position, segment)


def _concatenated(ids: IntArray, segments: IntArray, t: Array, p: Array, s: Array) -> Array:
    position = np.broadcast_to(p[: ids.shape[1]], (*ids.shape, p.shape[1]))
    return np.concatenate([t[ids], position, s[segments]], axis=-1)


_EMBEDDING_MISTAKES: Final = (
    Mistake(
        "embeddings_averaged",
        "divides the sum by 3",
        lambda *x: _embedding_sum(*x) / 3,
        "add the three rows, and that is all",
    ),
    Mistake(
        "embeddings_joined",
        "puts the three rows side by side, where they are to be added",
        _concatenated,
        "add them: all three tables have D columns",
    ),
    Mistake(
        "embeddings_multiplied",
        "multiplies the three rows, where they are to be added",
        lambda ids, segments, t, p, s: t[ids] * p[: ids.shape[1]] * s[segments],
        "add them",
    ),
    Mistake(
        "positions_are_ids",
        "looks positions up by token id, where the column's number is expected",
        lambda ids, segments, t, p, s: t[ids] + p[ids % len(p)] + s[segments],
        "a position is the column: 0, 1, 2, ...",
    ),
    Mistake(
        "positions_are_segments",
        "looks positions up by segment id, where the column's number is expected",
        lambda ids, segments, t, p, s: t[ids] + p[segments] + s[segments],
        "a position is the column: 0, 1, 2, ...",
    ),
    Mistake(
        "token_table_alone",
        "looks tokens up, and adds neither positions nor segments",
        lambda ids, segments, t, p, s: t[ids],
        "add the position table's and the segment table's rows",
    ),
)

EMBEDDING_SUM: Final = Exercise(
    call="embedding_sum(token_ids, segment_ids, token_table, position_table, segment_table)",
    shapes="(B, T), (B, T), (V, D), (P, D), (S, D) -> (B, T, D)",
    right=_embedding_sum,
    tiny=(
        np.array([[3, 0, 3]]),
        np.array([[0, 0, 1]]),
        np.array([[1.0, 1], [2, 2], [3, 3], [4, 4]]),
        np.array([[10.0, 0], [20, 0], [30, 0], [40, 0], [50, 0]]),
        np.array([[0.0, 100], [0, 200]]),
    ),
    mistakes=_EMBEDDING_MISTAKES,
    read="npbert/ops/embedding.py",
    places=lambda config: [
        Place(
            "embeddings.sum",
            ("token_ids", "segment_ids"),
            tuple(f"{table}_embedding/embeddings" for table in ("token", "position", "segment")),
        )
    ],
)


# -- a text's vector -------------------------------------------------------------------------------

_POOLING_MISTAKES: Final = (
    *(
        Mistake(
            pooling.key_of(way),
            f"is {way}, where {_MEAN} is expected",
            function,
            pooling.FIXES["mean_over_padding"] if way == OVER_PADDING else _KEPT,
        )
        for way, function in POOLS.items()
        if way != _MEAN
    ),
    Mistake(
        "sum_not_divided",
        "adds up the kept tokens, but does not divide by their number",
        lambda x, mask: (x * (mask != 0)[..., None]).sum(axis=1),
        "divide by mask.sum(axis=1, keepdims=True)",
    ),
    Mistake(
        "mask_inverted",
        "is the mean of padding: the mask is inverted",
        lambda x, mask: POOLS[_MEAN](x, 1 - (mask != 0)),
        "1 keeps and 0 masks",
    ),
    Mistake(
        "mean_over_features",
        "takes the mean over the features (axis -1), where the tokens (axis 1) are expected",
        lambda x, mask: x.mean(axis=-1),
        "sum along axis 1, the tokens",
    ),
    Mistake(
        "mean_over_batch",
        "counts the kept tokens of all texts, where each text has its own number",
        lambda x, mask: (x * (mask != 0)[..., None]).sum(axis=1) / (mask != 0).sum(),
        "divide by mask.sum(axis=1, keepdims=True)",
    ),
)

MEAN_POOLING: Final = Exercise(
    call="mean_pooling(sequence_output, padding_mask)",
    shapes="(B, T, D), (B, T) -> (B, D)",
    right=POOLS[_MEAN],
    tiny=(np.array([[[1.0, 2], [3, 4], [9, 9]]]), np.array([[1, 1, 0]])),
    mistakes=_POOLING_MISTAKES,
    read="npbert/ops/pooling.py",
    places=lambda config: [Place(POOLING, ("sequence_output", "padding_mask"))],
)


def _divided(x: Array, order: float | None, axis: int | None, *, squared: bool = False) -> Array:
    """By another norm, or by one along another axis."""
    length = np.linalg.norm(x, ord=order, axis=axis, keepdims=True)
    return x / (length**2 if squared else length)


_LENGTH: Final = "divide each row by sqrt of the sum of its squares, axis=-1, keepdims=True"

NORMALIZE: Final = Exercise(
    call="normalize(vectors)",
    shapes="(B, D) -> (B, D), each row of length 1",
    right=l2_normalize,
    tiny=(np.array([[3.0, 4], [0, 2]]),),
    mistakes=(
        Mistake(
            "length_squared",
            "divides by the squared length: the square root is left out",
            partial(_divided, order=None, axis=-1, squared=True),
            _LENGTH,
        ),
        Mistake(
            "length_of_columns",
            "divides by the length of each column (axis 0), where each row has its own",
            partial(_divided, order=None, axis=0),
            _LENGTH,
        ),
        Mistake(
            "length_of_all",
            "divides by one length of the whole array, where each row has its own",
            partial(_divided, order=None, axis=None),
            _LENGTH,
        ),
        Mistake(
            "length_of_absolutes",
            "divides by the sum of absolute values, where the length is expected",
            partial(_divided, order=1, axis=-1),
            _LENGTH,
        ),
        Mistake(
            "length_of_sum",
            "divides by the sum of each row, where the length is expected",
            lambda x: x / x.sum(axis=-1, keepdims=True),
            _LENGTH,
        ),
        Mistake(
            "length_of_largest",
            "divides by the largest absolute value, where the length is expected",
            partial(_divided, order=np.inf, axis=-1),
            _LENGTH,
        ),
        Mistake(
            "standardized",
            "subtracts the mean and divides by the standard deviation: it is a layer norm",
            lambda x: (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True),
            _LENGTH,
        ),
        Mistake("unchanged", "returns the vectors as they are", np.asarray, _LENGTH),
    ),
    read="npbert/ops/pooling.py",
    places=lambda config: [Place(VECTOR, (POOLING,))],
)


def _cosine(a: Array, b: Array) -> Array:
    return l2_normalize(a) @ l2_normalize(b).T


COSINE: Final = Exercise(
    call="cosine(a, b)",
    shapes="(A, D), (B, D) -> (A, B), every row of a with every row of b",
    right=_cosine,
    tiny=(np.array([[3.0, 4], [1, 0]]), np.array([[4.0, 3], [0, 2], [2, 0]])),
    mistakes=(
        Mistake(
            "not_normalized",
            "is the dot product: long vectors come out more alike than short ones",
            lambda a, b: a @ b.T,
            "normalize both, or divide by both lengths",
        ),
        Mistake(
            "one_normalized",
            "divides by the length of b alone",
            lambda a, b: a @ l2_normalize(b).T,
            "divide by the length of a, too",
        ),
        Mistake(
            "one_normalized",
            "divides by the length of a alone",
            lambda a, b: l2_normalize(a) @ b.T,
            "divide by the length of b, too",
        ),
        Mistake(
            "length_squared",
            "divides by squared lengths: the square roots are left out",
            lambda a, b: (
                _cosine(a, b) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)
            ),
            "divide by the lengths themselves",
        ),
        Mistake(
            "cosine_distance",
            "is a distance, 1 - cosine: 0 for the same direction",
            lambda a, b: 1 - _cosine(a, b),
            "leave out the 1 -",
        ),
        Mistake(
            "angle",
            "is the angle itself, where its cosine is expected",
            lambda a, b: np.arccos(_cosine(a, b)),
            "leave out arccos",
        ),
        Mistake(
            "transposed",
            "is transposed: rows of the result belong to a, columns to b",
            lambda a, b: _cosine(b, a),
            "a @ b.T, not b @ a.T",
        ),
        Mistake(
            "absolute",
            "leaves out the sign: opposite vectors come out alike",
            lambda a, b: np.abs(_cosine(a, b)),
            "leave out the absolute value",
        ),
    ),
    read="npbert/tasks/similarity.py",
    places=lambda config: [
        Place("text.similarity", (POOLING,), arguments=lambda x: (x, x[1:] - x[:1]))
    ],
)
