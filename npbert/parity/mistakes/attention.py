"""Mistakes inside attention: the scale, the mask, the softmax, and how heads are split and joined.

Of the mask there are more wrong ways than right ones; Vaswani et al. 2017, section 3.2.3, has it
set what is masked to minus infinity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from npbert.ops.dense import dense_heads
from npbert.ops.softmax import softmax
from npbert.ops.types import Array, IntArray
from npbert.parity import graph
from npbert.parity.mistakes.cause import HEADS, Cause, Offer, Offers, Where

_MOST_HEADS: Final = 64


def _scale(where: Where) -> Offers:
    H, N, D = where.config.head_dim, where.config.num_heads, where.config.hidden_dim
    right = 1 / math.sqrt(H)
    others = {
        "1 (none)": 1.0,
        "1 / H": 1 / H,
        "1 / sqrt(D)": 1 / math.sqrt(D),
        "1 / sqrt(N)": 1 / math.sqrt(N),
        "sqrt(H)": math.sqrt(H),
    }
    for name, scale in others.items():
        if not math.isclose(scale * math.sqrt(H), 1):
            says = f"has the scale {name}, where 1 / sqrt(H) = {right:.4g} is expected"
            yield Offer(says, where.replaced(partial(graph.scores, scale=scale)))
    seen = where.seen
    if seen is None:
        return

    def fitted(query: Array, key: Array) -> Array:
        made = graph.scores(query, key, scale=1.0)
        scale = float(np.sum(made * seen) / np.sum(np.square(made)))
        return made * made.dtype.type(scale if scale > 0 else right)

    yield Offer("has another scale, where 1 / sqrt(H) is expected", where.replaced(fitted))


def _swapped_product(where: Where) -> Offers:
    """key times query is the same numbers transposed."""
    op = where.step.op
    says = "has queries and keys exchanged: it is transposed"
    yield Offer(says, where.replaced(lambda query, key: op(key, query)))


def _value_is_key(where: Where) -> Offers:
    probs, key = where.beside("probs"), where.beside("key")
    yield Offer("sums up keys, not values", {where.stage: where.step._replace(inputs=(probs, key))})


def _number(where: Where) -> Offers:
    """Kernels of the same numbers, cut into more heads or fewer; all of attention is another."""
    D, N = where.config.hidden_dim, where.config.num_heads
    for n in range(1, min(D, _MOST_HEADS) + 1):
        if D % n or n == N:
            continue
        variant = {name: where.steps[name] for name in map(where.beside, (*HEADS, "scores"))}
        cut = partial(_cut, n=n)
        for name in map(where.beside, HEADS):
            variant[name] = variant[name]._replace(op=cut)
        scaled = partial(graph.scores, scale=math.sqrt(n / D))
        variant[where.beside("scores")] = variant[where.beside("scores")]._replace(op=scaled)
        variant |= where.replaced(partial(_joined, join=where.step.op))
        yield Offer(f"joins {n} heads, where {N} are expected", variant)


def _cut(x: Array, kernel: Array, bias: Array, *, n: int) -> Array:
    """(B, T, D), (D, N, H), (N, H) -> (B, T, n, D / n)"""
    return dense_heads(x, kernel.reshape(len(kernel), n, -1), bias.reshape(n, -1))


def _joined(x: Array, kernel: Array, bias: Array, *, join: Callable[..., Array]) -> Array:
    """(B, T, n, D / n), (N, H, D), (D,) -> (B, T, D)"""
    return join(x, kernel.reshape(*x.shape[2:], -1), bias)


# -- the mask --------------------------------------------------------------------------------------


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


# -- heads -----------------------------------------------------------------------------------------


def _interleaved(x: Array) -> Array:
    """Features dealt out to the heads in turn.  (B, T, N, H) -> (B, T, N, H)"""
    B, T, N, H = x.shape
    return np.swapaxes(x.reshape(B, T, H, N), 2, 3)


def _viewed(x: Array) -> Array:
    """(B, T, D) taken as (B, N, T, H) as it lies, the axes never exchanged."""
    B, T, N, H = x.shape
    return np.swapaxes(x.reshape(B, N, T, H), 1, 2)


def _split(where: Where, rearranged: Callable[[Array], Array], says: str) -> Offers:
    """At the products that take heads, or where they are made."""
    at, steps = where.beside, where.steps

    def taking(kind: str, *which: int) -> Callable[..., Array]:
        op = steps[at(kind)].op
        return lambda *x: op(*(rearranged(a) if i in which else a for i, a in enumerate(x)))

    def variant(**which: tuple[int, ...]) -> dict[str, graph.Step]:
        return {at(k): steps[at(k)]._replace(op=taking(k, *v)) for k, v in which.items()}

    if where.kind in HEADS:
        made = {k: steps[at(k)] for k in HEADS}
        yield Offer(
            says,
            {
                at(k): step._replace(op=lambda *x, op=step.op: rearranged(op(*x)))
                for k, step in made.items()
            },
        )
        return
    yield Offer(says, variant(scores=(0, 1), context=(1,)))
    yield Offer(says, variant(scores=(0, 1), context=(1,), attention_output=(0,)))
    yield Offer(says, variant(**{where.kind: {"scores": (0, 1), "context": (1,)}[where.kind]}))


def _head_split(where: Where) -> Offers:
    yield from _split(where, _interleaved, "takes its features as (H, N), where (N, H) is expected")


def _head_view(where: Where) -> Offers:
    says = "has heads and tokens not exchanged: (B, T, D) is taken as (B, N, T, H) as it lies"
    yield from _split(where, _viewed, says)


def _join(where: Where) -> Offers:
    """Before the output's dense layer: in what it is given, or in what it does with that."""
    op = where.step.op
    forms: dict[str, Callable[[Array], Array]] = {
        "joins the heads as (H, N), where (N, H) is expected": _rejoined,
        "joins (B, N, T, H) as it lies: heads and tokens are not exchanged back": _unexchanged,
    }
    for says, form in forms.items():
        if where.kind == "context":
            yield Offer(says, where.replaced(lambda *x, form=form: form(op(*x))))
        else:
            yield Offer(says, where.replaced(lambda x, *rest, form=form: op(form(x), *rest)))


def _rejoined(x: Array) -> Array:
    return np.swapaxes(x, 2, 3).reshape(x.shape)


def _unexchanged(x: Array) -> Array:
    return np.swapaxes(x, 1, 2).reshape(x.shape)


_HEADS_AT: Final = (*HEADS, "scores", "context")
_SPLIT_FIX: Final = "reshape (B, T, D) to (B, T, N, H), then exchange axes 1 and 2"

CAUSES: Final = (
    Cause("attention_scale", ("scores",), _scale, "multiply by 1 / sqrt(H), H = D / N"),
    Cause("queries_keys_exchanged", ("scores",), _swapped_product, "scores are query times key"),
    *map(_masked, _MASKS),
    Cause(
        "fully_masked",
        ("probs",),
        _fully_masked,
        "decide what a text without kept tokens gives; Keras decides by dropout == 0",
    ),
    Cause(
        "num_heads",
        ("attention_output",),
        _number,
        "give both sides the same number of heads: num_attention_heads, num_heads",
    ),
    Cause("mask_value", ("probs",), _value, _MASK_FIX),
    Cause("values_are_keys", ("context",), _value_is_key, "multiply the probabilities by values"),
    Cause("head_split", _HEADS_AT, _head_split, _SPLIT_FIX),
    Cause("head_view", _HEADS_AT, _head_view, _SPLIT_FIX),
    Cause(
        "head_join",
        ("context", "attention_output"),
        _join,
        "exchange axes 1 and 2 back, then reshape",
    ),
)
