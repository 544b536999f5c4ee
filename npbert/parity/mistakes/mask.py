"""Mistakes of the mask, and of the softmax that it is for.

There are more wrong ways than right ones; Vaswani et al. 2017, section 3.2.3, has it set what is
masked to minus infinity.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from npbert.ops.softmax import softmax
from npbert.ops.types import Array, IntArray
from npbert.parity import graph
from npbert.parity.mistakes.cause import Cause, Offer, Offers, Where


def _keys(mask: IntArray) -> Array:
    """(B, T) -> (B, 1, 1, T), True where kept."""
    return np.asarray(mask != 0)[:, None, None, :]


def _all(scores: Array) -> Array:
    """softmax over every key.  (B, N, T, T) -> (B, N, T, T)"""
    return softmax(scores, np.ones(scores.shape, np.bool_))


def _added(scores: Array, mask: IntArray, *, value: float) -> Array:
    # One rounding as in float32 is meant: at 1e9 it wipes the score out.
    masked = (scores.astype(np.float32) + np.float32(value)).astype(scores.dtype)
    return _all(np.where(_keys(mask), scores, masked))


def _filled(scores: Array, mask: IntArray, *, value: float) -> Array:
    return _all(np.where(_keys(mask), scores, scores.dtype.type(value)))


def _infinite(scores: Array, mask: IntArray) -> Array:
    """A row of nothing but minus infinity is 0 / 0."""
    found = softmax(scores, np.broadcast_to(_keys(mask), scores.shape))
    return np.where(_keys(mask).any(axis=3, keepdims=True), found, scores.dtype.type(np.nan))


def _after(scores: Array, mask: IntArray) -> Array:
    return np.where(_keys(mask), _all(scores), scores.dtype.type(0))


def _causal(scores: Array, mask: IntArray) -> Array:
    T = scores.shape[-1]
    return softmax(scores, np.broadcast_to(_keys(mask) & np.tri(T, dtype=np.bool_), scores.shape))


def _over_queries(scores: Array, mask: IntArray) -> Array:
    masked = np.where(_keys(mask), scores, scores.dtype.type(-1e9))
    return np.swapaxes(_all(np.swapaxes(masked, 2, 3)), 2, 3)


def _over_kept_queries(scores: Array, mask: IntArray) -> Array:
    """Keras masks again after the softmax: no column sums up to 1 that is masked."""
    return np.where(_keys(mask), _over_queries(scores, mask), scores.dtype.type(0))


def _inverted(scores: Array, mask: IntArray) -> Array:
    return _filled(scores, 1 - (mask != 0), value=-1e9)


def _kept_inverted(scores: Array, mask: IntArray) -> Array:
    """Keras masks again after the softmax: 0 where nothing is left."""
    return softmax(scores, np.broadcast_to(~_keys(mask), scores.shape))


_Masking = Callable[[Array, IntArray], Array]

_MASKS: Final[dict[str, tuple[str, *tuple[_Masking, ...]]]] = {
    "mask_missing": ("is not masked: padding is attended to", lambda s, m: _all(s)),
    "mask_inverted": (
        "has the mask inverted: padding is all that is attended to",
        _inverted,
        _kept_inverted,
    ),
    "mask_after_softmax": ("is masked after the softmax, and no longer sums to 1", _after),
    "mask_multiplied": (
        "has masked scores multiplied by 0, which softmax does not drop",
        lambda s, m: _all(s * _keys(m)),
    ),
    "mask_added_raw": (
        "has the mask's 0 and 1 added to the scores",
        lambda s, m: _all(s + _keys(m).astype(s.dtype)),
    ),
    "mask_infinite": ("is NaN where no key is kept: all scores are minus infinity", _infinite),
    "causal_mask": ("is masked causally: no token attends to a later one", _causal),
    "softmax_axis": (
        "is a softmax over the queries, where the keys are expected",
        _over_queries,
        _over_kept_queries,
    ),
}
_MASK_FIX: Final = "replace masked scores by a very large negative number before the softmax"
_FIXES: Final = {
    "mask_inverted": "1 keeps and 0 masks, in Keras and in Hugging Face; torch's key_padding_mask"
    " and TransformerEncoder take the opposite",
    "causal_mask": "BERT attends both ways: switch the causal mask off (is_causal=False)",
    "softmax_axis": "take the softmax along the last axis, the keys",
    "mask_infinite": "give a text without kept tokens zeros (or leave it out)",
}


_SMALL: Final = (-50.0, -20.0, -10.0, -5.0, -3.0, -2.0, -1.0)
"""What exp does not make 0 of."""


def _value(where: Where) -> Offers:
    for value in (-1e4, -1e3, -100.0, *_SMALL, -1e9):
        says = f"has {value:g} added to masked scores, where they are dropped"
        yield Offer(says, where.replaced(partial(_added, value=value)))
    for value in _SMALL:
        says = f"has {value:g} in place of masked scores, where they are dropped"
        yield Offer(says, where.replaced(partial(_filled, value=value)))


def _fully_masked(where: Where) -> Offers:
    fused = where.config.dropout == 0
    rules = "all 0", "uniform over all tokens"
    says = f"is {rules[not fused]} where no key is kept, and {rules[fused]} is expected"
    yield Offer(says, where.replaced(partial(graph.probs, fused=not fused)))


def _masked(key: str) -> Cause:
    says, *ops = _MASKS[key]

    def offers(where: Where) -> Offers:
        for op in ops:
            yield Offer(says, where.replaced(op))

    return Cause(key, ("probs",), offers, _FIXES.get(key, _MASK_FIX))


CAUSES: Final = (
    *map(_masked, _MASKS),
    Cause(
        "fully_masked",
        ("probs",),
        _fully_masked,
        "decide what a text without kept tokens gives; Keras decides by dropout == 0",
    ),
    Cause("mask_value", ("probs",), _value, _MASK_FIX),
)
