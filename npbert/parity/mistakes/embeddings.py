"""Mistakes at the three tables: positions counted otherwise, segments forgotten, rows shifted."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from npbert.ops.types import Array, IntArray
from npbert.parity.graph import Step, probs
from npbert.parity.mistakes.cause import Cause, Offer, Offers, Where


def _token(where: Where) -> Offers:
    for by in (1, -1, 2, -2):
        says = f"has the table's rows off by {by}"
        yield Offer(says, where.replaced(lambda ids, t, by=by: t[(ids + by) % len(t)]))


def _rows(table: Array, places: IntArray) -> Array:
    """Rows of the position table; those past its ends are its ends."""
    return table[np.clip(places, 0, len(table) - 1)]


def _offset(where: Where) -> Offers:
    for by in (1, 2, -1):
        says = f"has positions counted from {by}, where 0 is expected"
        op = lambda ids, t, by=by: _rows(t, np.arange(ids.shape[1]) + by + 0 * ids)  # noqa: E731
        yield Offer(says, where.replaced(op))


def _from_mask(where: Where) -> Offers:
    """As RoBERTa counts: kept tokens only, so that left padding moves the first to 0."""
    forms: dict[str, Callable[[IntArray], IntArray]] = {
        "kept tokens only": lambda m: np.cumsum(m, axis=1) - 1,
        "kept tokens only, padding at 0": lambda m: (np.cumsum(m, axis=1) - 1) * m,
        "kept tokens only, from 1, padding at 0": lambda m: np.cumsum(m, axis=1) * m,
        "kept tokens only, from 2, padding at 1": lambda m: np.cumsum(m, axis=1) * m + 1,
    }
    for counted, places in forms.items():
        op = lambda m, table, p=places: _rows(table, p((m != 0).astype(np.int64)))  # noqa: E731
        step = Step(op, ("padding_mask",), where.step.weights)
        says = f"has positions counted over {counted}, where every column counts"
        yield Offer(says, {where.stage: step})


def _restarted(where: Where) -> Offers:
    def op(segments: IntArray, table: Array) -> Array:
        columns = np.arange(segments.shape[1]) + 0 * segments
        new = np.diff(segments, axis=1, prepend=segments[:, :1]) != 0
        return _rows(table, columns - np.maximum.accumulate(np.where(new, columns, 0), axis=1))

    step = Step(op, ("segment_ids",), where.step.weights)
    yield Offer("has positions counted from 0 again in each segment", {where.stage: step})


def _one_position(where: Where) -> Offers:
    wrong = where.replaced(lambda ids, table: _rows(table, 0 * ids))
    yield Offer("has the first position's row for every token", wrong)


def _segment_ids(where: Where) -> Offers:
    forms: dict[str, Callable[[IntArray], IntArray]] = {
        "takes every segment id as 0": lambda ids: 0 * ids,
        "takes every segment id as 1": lambda ids: 0 * ids + 1,
        "has segments 0 and 1 exchanged": lambda ids: np.where(ids < 2, 1 - ids, ids),
    }
    for says, changed in forms.items():
        op = lambda ids, table, c=changed: table[np.minimum(c(ids), len(table) - 1)]  # noqa: E731
        yield Offer(says, where.replaced(op))


def _exchanged(where: Where) -> Offers:
    """Segment ids given as the mask and the mask as segment ids, wherever either is used."""
    variant = {where.stage: where.step._replace(inputs=("padding_mask",))}
    attention = [stage for stage in where.steps if stage.endswith(".probs")]
    for fused in (False, True):
        masked = partial(probs, fused=fused)
        for stage in attention:
            scores = where.steps[stage].inputs[0]
            variant[stage] = Step(masked, (scores, "segment_ids"))
        yield Offer("takes the padding mask for segment ids, and the other way round", {**variant})


def _left_out(which: int) -> Callable[[Where], Offers]:
    """Nothing is added, or zeros are."""

    def offers(where: Where) -> Offers:
        op = where.step.op
        name = ("token", "position", "segment")[which]

        def without(*parts: Array) -> Array:
            return op(*(0 * part if i == which else part for i, part in enumerate(parts)))

        if where.kind == "sum":
            yield Offer(f"lacks the {name} embedding", where.replaced(without))
        else:
            yield Offer("is 0: it is left out", where.replaced(lambda *x: 0 * op(*x)))

    return offers


def _scaled(where: Where) -> Offers:
    op, D = where.step.op, where.config.hidden_dim
    root = math.sqrt(D)
    yield Offer(
        f"has token embeddings times sqrt(D) = {root:.4g}",
        where.replaced(lambda token, *rest: op(token * token.dtype.type(root), *rest)),
    )
    yield Offer(
        f"is multiplied by sqrt(D) = {root:.4g}",
        where.replaced(lambda *parts: op(*parts) * parts[0].dtype.type(root)),
    )


_SUM: Final = ("sum",)
_POSITION: Final = ("position",)
_SEGMENT: Final = ("segment",)
_COUNT: Final = "a position is the column's index, from 0, whatever is masked"

CAUSES: Final = (
    Cause("token_rows_off", ("token",), _token, "use the vocabulary that the table was made for"),
    Cause(
        "segment_missing",
        ("sum", "segment"),
        _left_out(2),
        "add the segment table's row, row 0 for one text",
    ),
    Cause("position_missing", ("sum", "position"), _left_out(1), "add the position table's row"),
    Cause("embeddings_scaled", _SUM, _scaled, "BERT does not scale embeddings"),
    Cause("position_offset", _POSITION, _offset, _COUNT),
    Cause("positions_from_mask", _POSITION, _from_mask, _COUNT),
    Cause("positions_restarted", _POSITION, _restarted, _COUNT),
    Cause("position_ignored", _POSITION, _one_position, _COUNT),
    Cause("inputs_exchanged", _SEGMENT, _exchanged, "pass the inputs by name, not by place"),
    Cause("segment_ids_ignored", _SEGMENT, _segment_ids, "pass segment_ids (token_type_ids) on"),
)
