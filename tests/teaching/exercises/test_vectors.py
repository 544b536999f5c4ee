"""Embeddings, pooling and similarity as learners write them, right and wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

import npbert


def three_rows(ids, segments, t, p, s):
    return t[ids] + p[np.arange(ids.shape[1])] + s[segments]


def loops(ids, segments, t, p, s):
    rows = [
        [[float(v) for v in t[i] + p[place] + s[g]] for place, (i, g) in enumerate(zip(*row))]
        for row in zip(ids, segments)
    ]
    return rows  # lists of lists will do


WRONG_EMBEDDINGS = {
    "position_missing": lambda ids, segments, t, p, s: t[ids] + s[segments],
    "segment_missing": lambda ids, segments, t, p, s: t[ids] + p[: ids.shape[1]],
    "token_table_alone": lambda ids, segments, t, p, s: t[ids],
    "position_offset": lambda ids, segments, t, p, s: t[ids] + p[1 : 1 + 17] + s[segments],
    "position_ignored": lambda ids, segments, t, p, s: t[ids] + p[0] + s[segments],
    "segment_ids_ignored": lambda ids, segments, t, p, s: t[ids] + p[:17] + s[0],
    "positions_are_ids": lambda ids, segments, t, p, s: t[ids] + p[ids % 24] + s[segments],
    "positions_are_segments": lambda ids, segments, t, p, s: t[ids] + p[segments] + s[segments],
    "embeddings_joined": lambda ids, segments, t, p, s: (
        np.dstack([t[ids].reshape(51, 16), np.tile(p[:17], (3, 1)), s[segments].reshape(51, 16)])
        .swapaxes(1, 2)
        .reshape(3, 17, 48)
    ),
    "embeddings_averaged": lambda *x: np.mean(
        [x[2][x[0]], np.tile(x[3][:17], (3, 1, 1)), x[4][x[1]]], axis=0
    ),
    "embeddings_multiplied": lambda ids, segments, t, p, s: t[ids] * p[:17] * s[segments],
    "embeddings_scaled": lambda ids, segments, t, p, s: 4 * t[ids] + p[:17] + s[segments],
}


@pytest.mark.parametrize("cause", WRONG_EMBEDDINGS)
def test_wrong_embeddings_are_named(cause):
    verdict = npbert.check("embedding_sum", WRONG_EMBEDDINGS[cause])
    assert not verdict
    assert verdict.cause == cause


def test_what_parity_knows_is_mended_in_the_learners_own_words():
    verdict = npbert.check("embedding_sum", WRONG_EMBEDDINGS["segment_ids_ignored"])
    assert verdict.fix == "look segments up by their ids: segment_table[segment_ids]"


@pytest.mark.parametrize("right", [three_rows, loops])
def test_right_embeddings(right):
    assert npbert.check("embedding_sum", right)


# -- pooling ---------------------------------------------------------------------------------------


def mean(x, mask):
    kept = mask[..., None].astype(np.float32)
    return (x * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)


WRONG_POOLING = {
    "mean_over_padding": lambda x, m: x.mean(axis=1),
    "pooling": lambda x, m: x[:, 0],
    "sum_not_divided": lambda x, m: (x * m[..., None]).sum(1),
    "mask_inverted": lambda x, m: mean(x, 1 - m),
    "mean_over_features": lambda x, m: x.mean(-1),
    "mean_over_batch": lambda x, m: (x * m[..., None]).sum(1) / m.sum(),
}


@pytest.mark.parametrize("cause", WRONG_POOLING)
def test_wrong_pooling_is_named(cause):
    verdict = npbert.check("mean_pooling", WRONG_POOLING[cause])
    assert not verdict
    assert verdict.cause == cause
    assert verdict.stage == "text.pooling"


def test_each_pooling_is_told_what_it_lacks():
    fixes = [
        npbert.check("mean_pooling", wrong).fix
        for wrong in (
            lambda x, m: x.mean(axis=1),
            lambda x, m: (x * m[..., None]).sum(1) / np.sqrt(m.sum(1, keepdims=True)),
            lambda x, m: mean(x[:, 1:], m[:, 1:]),  # without [CLS]
        )
    ]
    assert fixes == [
        "weigh the tokens with the padding mask before the mean is taken",
        *["divide by the number of kept tokens, and leave none out"] * 2,
    ]


def test_right_pooling():
    assert npbert.check("mean_pooling", mean)
    assert npbert.check(
        "mean_pooling", lambda x, m: np.array([row[k != 0].mean(0) for row, k in zip(x, m)])
    )


# -- vectors against vectors -----------------------------------------------------------------------

WRONG_LENGTHS = {
    "length_squared": lambda x: x / (x**2).sum(-1, keepdims=True),
    "length_of_columns": lambda x: x / np.linalg.norm(x, axis=0),
    "length_of_all": lambda x: x / np.linalg.norm(x),
    "length_of_absolutes": lambda x: x / np.abs(x).sum(-1, keepdims=True),
    "length_of_sum": lambda x: x / x.sum(-1, keepdims=True),
    "length_of_largest": lambda x: x / np.abs(x).max(-1, keepdims=True),
    "standardized": lambda x: (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True),
    "unchanged": lambda x: x,
}


@pytest.mark.parametrize("cause", WRONG_LENGTHS)
def test_wrong_lengths_are_named(cause):
    verdict = npbert.check("normalize", WRONG_LENGTHS[cause])
    assert not verdict
    assert verdict.cause == cause


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


WRONG_COSINES = {
    "not_normalized": lambda a, b: a @ b.T,
    "one_normalized": lambda a, b: unit(a) @ b.T,
    "length_squared": lambda a, b: (a @ b.T) / (a**2).sum(1)[:, None] / (b**2).sum(1)[None],
    "cosine_distance": lambda a, b: 1 - unit(a) @ unit(b).T,
    "angle": lambda a, b: np.arccos(unit(a) @ unit(b).T),
    "transposed": lambda a, b: unit(b) @ unit(a).T,
    "absolute": lambda a, b: np.abs(unit(a) @ unit(b).T),
}


@pytest.mark.parametrize("cause", WRONG_COSINES)
def test_wrong_cosines_are_named(cause):
    verdict = npbert.check("cosine", WRONG_COSINES[cause])
    assert not verdict
    assert verdict.cause == cause


def test_the_toy_has_no_cosine():
    verdict = npbert.check("cosine", WRONG_COSINES["angle"])
    assert verdict.stage is None
    assert verdict.where.startswith("not in the toy BERT's own numbers, but in others made of them")
    assert npbert.check("cosine", lambda a, b: unit(a) @ unit(b).T).sentence == (
        "Your cosine is right: it gives npbert's results wherever it was tried."
    )


def test_right_vectors():
    def angle(a, b):
        return sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b)

    assert npbert.check("normalize", unit)
    assert npbert.check("cosine", lambda a, b: [[angle(x, y) for y in b] for x in a])
