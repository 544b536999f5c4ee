"""Ways from token vectors to a text's: Reimers & Gurevych 2019, section 3, and those got wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from npbert.ops.pooling import POOLINGS, l2_normalize
from npbert.ops.types import Array, IntArray
from npbert.parity.graph import Step

POOLING: Final = "text.pooling"
VECTOR: Final = "text.vector"
POOLER: Final = "the pooler's output"


def pooled(x: Array, mask: IntArray, *, mode: str, skip: int = 0, last: int = 0) -> Array:
    """By one of `npbert.ops.pooling.POOLINGS`.  (B, T, D), (B, T) -> (B, D)

    ``skip`` and ``last`` are tokens left out at either end of each text.
    """
    rows = [each[kept != 0] for each, kept in zip(x, mask)]
    rows = [each[: max(len(each) - last, skip)] for each in rows]
    starts = np.cumsum([0, *map(len, rows)])
    return POOLINGS[mode](np.concatenate(rows), starts, skip)


def _over_padding(x: Array, mask: IntArray) -> Array:
    return np.asarray(x.mean(axis=1))


def _divided_by_columns(x: Array, mask: IntArray) -> Array:
    return np.asarray(np.where(mask[..., None] != 0, x, 0).mean(axis=1))


OVER_PADDING: Final = "the mean over padding too"
POOLS: Final[dict[str, Callable[[Array, IntArray], Array]]] = {
    **{f"{mode} pooling": partial(pooled, mode=mode) for mode in POOLINGS},
    "the mean without [CLS] and [SEP]": partial(pooled, mode="mean", skip=1, last=1),
    "the mean without [CLS]": partial(pooled, mode="mean", skip=1),
    "the mean without [SEP]": partial(pooled, mode="mean", last=1),
    OVER_PADDING: _over_padding,
    "the sum of kept tokens, divided by the number of all": _divided_by_columns,
}
"""In words -> (B, T, D), (B, T) -> (B, D)."""


def _cut(x: Array, size: int) -> Array:
    return x[:, :size]


def _cut_and_normalized(x: Array, size: int) -> Array:
    return l2_normalize(x[:, :size])


def _normalized_and_cut(x: Array, size: int) -> Array:
    return l2_normalize(x)[:, :size]


AS_POOLED: Final = "not normalized"
ENDINGS: Final[dict[str, Callable[[Array, int], Array]]] = {
    "normalized to length 1": _cut_and_normalized,
    AS_POOLED: _cut,
    "normalized before it is cut to fewer dimensions": _normalized_and_cut,
}
"""In words -> what becomes of what pooling gave; the int is the number of dimensions."""

FIXES: Final = {
    "pooling": "read the pooling from 1_Pooling/config.json, or set it",
    "mean_over_padding": "weigh the tokens with the padding mask before the mean is taken",
    "normalization": "cut to the dimensions asked for, then normalize, if the model does",
}
"""Key -> what to do."""


class Way(NamedTuple):
    """How a side makes a text's vector."""

    pool: str
    """Of `POOLS`, or `POOLER`."""
    ending: str
    """Of `ENDINGS`."""

    def of(self, hidden: Mapping[str, Array], mask: IntArray, size: int) -> Array:
        """The vectors, (B, size), of the model's outputs."""
        return ENDINGS[self.ending](self.pooled(hidden, mask), size)

    def pooled(self, hidden: Mapping[str, Array], mask: IntArray) -> Array:
        """(B, D)"""
        if self.pool == POOLER:
            return np.asarray(hidden["pooled_output"], np.float64)
        return POOLS[self.pool](np.asarray(hidden["sequence_output"], np.float64), mask)

    def steps(self, size: int) -> dict[str, Step]:
        """The two last stages."""
        pool = Step(np.asarray, ("pooled_output",))
        if self.pool != POOLER:
            pool = Step(POOLS[self.pool], ("sequence_output", "padding_mask"))
        ending = ENDINGS[self.ending]
        return {POOLING: pool, VECTOR: Step(lambda x: ending(x, size), (POOLING,))}


WAYS: Final = tuple(Way(pool, ending) for pool in (*POOLS, POOLER) for ending in ENDINGS)


def key_of(pool: str) -> str:
    """The cause to be named where a side pools in this way, and ought not to."""
    padding = POOLS.get(pool) in (_over_padding, _divided_by_columns)
    return "mean_over_padding" if padding else "pooling"
