"""Whether a difference matters: what it does to which texts are most alike."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from npbert.ops.pooling import l2_normalize
from npbert.parity.types import Array, Ranking

F64 = NDArray[np.float64]

FEWEST: Final = 3
"""Texts: of two, each has one neighbour, and nothing to be ranked."""

_NEAREST: Final = (1, 5, 10)


def ranking(a: Array, b: Array) -> Ranking | None:
    """How each side ranks texts by the cosine of their vectors, (A, D) each.

    None where there are fewer than `FEWEST`, or where a side has values that are not finite.
    """
    count = len(a)
    if count < FEWEST or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    alike = [_cosines(np.asarray(side, np.float64)) for side in (a, b)]  # (A, A) each
    pairs = np.triu_indices(count, 1)
    others = [similarity[~np.eye(count, dtype=bool)].reshape(count, -1) for similarity in alike]
    nearest = [np.argsort(-similarity, axis=1, kind="stable") for similarity in others]
    return Ranking(
        texts=count,
        spearman=_correlation(*(_ranks(similarity[pairs]) for similarity in alike)),
        overlap={k: _overlap(nearest[0], nearest[1], k) for k in _NEAREST if k < count},
        smallest_margin=float(np.diff(np.sort(others[0], axis=1), axis=1).min()),
        largest_change=float(np.abs(alike[0] - alike[1]).max()),
    )


def _cosines(vectors: F64) -> F64:
    units = l2_normalize(vectors)
    return units @ units.T


def _ranks(values: F64) -> F64:
    """The place of each in order; equal ones share the middle of theirs."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return (last - (sizes - 1) / 2)[group.reshape(values.shape)]


def _correlation(a: F64, b: F64) -> float:
    """Pearson's; Spearman's of ranks (Spearman 1904). Nothing varies: 1 if on both sides."""
    a, b = a - a.mean(), b - b.mean()
    sizes = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if sizes == 0:
        return float(not a.any() and not b.any())
    return float(np.clip((a * b).sum() / sizes, -1, 1))


def _overlap(a: NDArray[np.intp], b: NDArray[np.intp], k: int) -> float:
    """The share of each text's ``k`` nearest on one side that are so on the other."""
    shared = [len(np.intersect1d(mine[:k], theirs[:k])) for mine, theirs in zip(a, b)]
    return float(np.mean(shared)) / k
