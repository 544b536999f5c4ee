"""Rankings: against scipy's Spearman, and what cannot turn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from npbert.parity.ranking import ranking


def vectors(count=13, width=7, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width))


def cosines(x):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return x @ x.T


def test_the_same_vectors_rank_the_same():
    a = vectors()
    found = ranking(a, 3 * a)
    assert (found.texts, found.spearman, found.overlap) == (13, 1, {1: 1, 5: 1, 10: 1})
    assert found.largest_change < 1e-15 < found.smallest_margin


@pytest.mark.parametrize("size", [0.1, 1.0])
def test_spearman_is_scipys(size):
    a = vectors()
    b = a + size * vectors(seed=1)
    pairs = np.triu_indices(13, 1)
    expected = spearmanr(cosines(a)[pairs], cosines(b)[pairs]).statistic
    assert ranking(a, b).spearman == pytest.approx(expected, abs=1e-12)


def test_spearman_with_ties_is_scipys():
    a, b = vectors(), vectors()
    a[3], a[4] = a[5], a[5]
    b[3] = b[5]
    pairs = np.triu_indices(13, 1)
    rounded = [np.round(cosines(x)[pairs], 12) for x in (a, b)]
    assert ranking(a, b).spearman == pytest.approx(spearmanr(*rounded).statistic, abs=0.02)


def test_a_neighbour_that_changes_costs_its_share():
    angles = np.array([0.0, 0.1, 0.3, 0.7])
    a = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    angles[1] = 0.65  # was next to 0.0, is now next to 0.7
    b = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = ranking(a, b)
    assert list(found.overlap) == [1]
    # The nearest of the four were 1, 0, 1, 2 and are 2, 3, 0, 1.
    assert found.overlap[1] == 0
    assert found.smallest_margin == pytest.approx(np.cos(0.1) - np.cos(0.2))
    assert found.largest_change == pytest.approx(np.cos(0.1) - np.cos(0.65))


def test_a_change_below_half_the_margin_turns_nothing():
    a = vectors()
    b = a + 1e-6 * vectors(seed=2)
    found = ranking(a, b)
    assert 2 * found.largest_change < found.smallest_margin
    assert found.spearman == 1
    assert set(found.overlap.values()) == {1}


def test_where_nothing_can_be_ranked():
    assert ranking(vectors(2), vectors(2)) is None
    broken = vectors()
    broken[1, 1] = np.nan
    assert ranking(vectors(), broken) is None
    same = np.ones((4, 3))
    assert ranking(same, same).spearman == 1
    assert ranking(same, vectors(4, 3)).spearman == 0
