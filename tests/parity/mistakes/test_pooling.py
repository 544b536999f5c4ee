"""Ways from token vectors to a text's."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.parity.mistakes.pooling import (
    ENDINGS,
    FIXES,
    POOLER,
    POOLING,
    POOLS,
    VECTOR,
    WAYS,
    Way,
    key_of,
    pooled,
)

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(2, 5, 7))
MASK = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
HIDDEN = {"sequence_output": X, "pooled_output": X[:, 2]}


def test_pools():
    np.testing.assert_allclose(pooled(X, MASK, mode="mean")[1], X[1, :3].mean(axis=0))
    np.testing.assert_array_equal(pooled(X, MASK, mode="cls"), X[:, 0])
    without = pooled(X, MASK, mode="mean", skip=1, last=1)
    np.testing.assert_allclose(without, [X[0, 1:3].mean(axis=0), X[1, 1]])
    np.testing.assert_allclose(POOLS["the mean over padding too"](X, MASK), X.mean(axis=1))
    divided = POOLS["the sum of kept tokens, divided by the number of all"](X, MASK)
    np.testing.assert_allclose(divided[0], X[0, :4].sum(axis=0) / 5)


def test_endings():
    x = np.array([[3.0, 4, 12]])
    expected = {
        "normalized to length 1": [[0.6, 0.8]],
        "not normalized": [[3, 4]],
        "normalized before it is cut to fewer dimensions": [[3 / 13, 4 / 13]],
    }
    assert expected.keys() == ENDINGS.keys()
    for words, values in expected.items():
        np.testing.assert_allclose(ENDINGS[words](x, 2), values)


def test_every_way_is_another():
    made = [way.of(HIDDEN, MASK, 4) for way in WAYS]
    same = [
        (one, other)
        for i, one in enumerate(WAYS)
        for j, other in enumerate(WAYS[:i])
        if np.allclose(made[i], made[j])
    ]
    assert all(one.ending == other.ending for one, other in same)
    assert len(same) <= 6, same  # by length 1, a mean is its sum


@pytest.mark.parametrize("pool", ["cls pooling", POOLER])
def test_the_steps_of_a_way(pool):
    way = Way(pool, "not normalized")
    steps = way.steps(4)
    given = {**HIDDEN, "padding_mask": MASK}
    between = steps[POOLING].op(*(given[name] for name in steps[POOLING].inputs))
    np.testing.assert_array_equal(steps[VECTOR].op(between), way.of(HIDDEN, MASK, 4))


def test_what_is_named():
    assert key_of("the mean over padding too") == "mean_over_padding"
    assert {key_of("cls pooling"), key_of(POOLER)} == {"pooling"}
    assert {key_of(way.pool) for way in WAYS} | {"normalization"} == set(FIXES)
