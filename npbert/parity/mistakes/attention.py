"""Mistakes inside attention: the scale, and how heads are split and joined."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from npbert.ops.types import Array
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
        for name in map(where.beside, HEADS):
            variant[name] = variant[name]._replace(op=partial(_cut, op=variant[name].op, n=n))
        scaled = partial(graph.scores, scale=math.sqrt(n / D))
        variant[where.beside("scores")] = variant[where.beside("scores")]._replace(op=scaled)
        variant |= where.replaced(partial(_joined, join=where.step.op))
        yield Offer(f"joins {n} heads, where {N} are expected", variant)


def _cut(*x: Array, op: Callable[..., Array], n: int) -> Array:
    """The op's (B, T, N, H) as (B, T, n, D / n)."""
    made = op(*x)
    return made.reshape(*made.shape[:2], n, -1)


def _joined(x: Array, kernel: Array, bias: Array, *, join: Callable[..., Array]) -> Array:
    """(B, T, n, D / n), (N, H, D), (D,) -> (B, T, D)"""
    return join(x, kernel.reshape(*x.shape[2:], -1), bias)


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
    Cause(
        "num_heads",
        ("attention_output",),
        _number,
        "give both sides the same number of heads: num_attention_heads, num_heads",
    ),
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
