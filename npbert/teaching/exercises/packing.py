"""Two texts to one row of ids: what learners write instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from npbert.teaching.exercise import Exercise, Mistake
from npbert.text.packing import Share, pack, room, round_robin, waterfall

Ids = list[int]
Row = tuple[Ids, Ids, Ids]


def _pack_pair(first: Ids, second: Ids, length: int, cls_id: int, sep_id: int, pad_id: int) -> Row:
    packed = pack((first, second), length, round_robin, start=cls_id, end=sep_id)
    return _filled(packed.ids, packed.segment_ids, length, pad_id)


def _filled(ids: Ids, segments: Ids, length: int, pad: int, segment: int = 0) -> Row:
    more = length - len(ids)
    return ids + [pad] * more, segments + [segment] * more, [1] * len(ids) + [0] * more


def _packed(
    first: Ids,
    second: Ids,
    length: int,
    cls: int,
    sep: int,
    pad: int,
    *,
    share: Share = round_robin,
    middle: Callable[[int, int], Ids] = lambda cls, sep: [sep],
    last: bool = True,
    early: int = 0,
    segment: int = 0,
) -> Row:
    """As it should be, and what becomes of it in other hands.

    ``middle`` is what stands between the texts, ``last`` whether a [SEP] ends the second; ``early``
    tokens before the second text count to it; ``segment`` is that of padding.
    """
    kept = share((len(first), len(second)), room(length, 2))
    a = [cls, *first[: kept[0]], *middle(cls, sep)]
    b = [*second[: kept[1]], *[sep] * last]
    ids, segments = [*a, *b], [0] * (len(a) - early) + [1] * (len(b) + early)
    return _filled(ids[:length], segments[:length], length, pad, segment)


def _everything(lengths: Sequence[int], budget: int) -> list[int]:
    return list(lengths)


def _last_first(lengths: Sequence[int], budget: int) -> list[int]:
    return waterfall(lengths[::-1], budget)[::-1]


def _mapped(change: Callable[[Row, int], Any]) -> Callable[..., Any]:
    """Something done to the right rows, given [PAD]'s id."""
    return lambda *x: change(_pack_pair(*x), x[-1])


def _without_padding(rows: Row, pad: int) -> list[Ids]:
    kept = sum(rows[2])
    return [row[:kept] for row in rows]


def _left(rows: Row, pad: int) -> list[Ids]:
    kept = sum(rows[2])
    return [row[kept:] + row[:kept] for row in rows]


_CUT: Final = "give each text one token in turn while there is room beside the special tokens"

PACK_PAIR: Final = Exercise(
    call="pack_pair(first, second, length, cls_id, sep_id, pad_id)",
    shapes="lists of ids -> token_ids, segment_ids, padding_mask: lists of `length` ints",
    right=_pack_pair,
    tiny=([11, 12, 13, 14], [21, 22], 8, 2, 3, 0),
    mistakes=(
        Mistake(
            "sep_segment",
            "counts the [SEP] after the first text to the second",
            partial(_packed, early=1),
            "a [SEP] belongs to the text that it ends",
        ),
        Mistake(
            "second_cls",
            "puts a [CLS] before the second text, too",
            partial(_packed, middle=lambda cls, sep: [sep, cls]),
            "[CLS] stands once, at the start",
        ),
        Mistake(
            "no_last_sep",
            "puts no [SEP] after the second text",
            partial(_packed, last=False),
            "a [SEP] ends each text",
        ),
        Mistake(
            "no_middle_sep",
            "puts no [SEP] between the texts",
            partial(_packed, middle=lambda cls, sep: []),
            "a [SEP] ends each text",
        ),
        Mistake(
            "padding_segment",
            "gives padding segment 1",
            partial(_packed, segment=1),
            "fill segment_ids up with 0",
        ),
        Mistake(
            "cut_after_packing",
            "cuts the packed row at its end: the last [SEP] and the second text go first",
            partial(_packed, share=_everything),
            _CUT,
        ),
        Mistake(
            "first_text_first",
            "gives the first text all the room it wants",
            partial(_packed, share=waterfall),
            _CUT,
        ),
        Mistake(
            "second_text_first",
            "gives the second text all the room it wants",
            partial(_packed, share=_last_first),
            _CUT,
        ),
        Mistake(
            "mask_inverted",
            "has the mask inverted: 1 stands for padding",
            _mapped(lambda rows, pad: (*rows[:2], [1 - each for each in rows[2]])),
            "1 keeps a token and 0 masks it",
        ),
        Mistake(
            "mask_of_ones",
            "has a mask of ones: padding is not masked",
            _mapped(lambda rows, pad: (*rows[:2], [1] * len(rows[2]))),
            "1 for each token, 0 for each [PAD]",
        ),
        Mistake(
            "not_filled_up",
            "does not fill up to the length",
            _mapped(_without_padding),
            "append [PAD], segment 0 and mask 0 until there are `length`",
        ),
        Mistake(
            "padded_left",
            "puts padding before the tokens",
            _mapped(_left),
            "BERT's positions count from the left: padding comes last",
        ),
        Mistake(
            "one_segment",
            "has segment 0 throughout",
            _mapped(lambda rows, pad: (rows[0], [0] * len(rows[1]), rows[2])),
            "1 for the second text and its [SEP]",
        ),
        Mistake(
            "order_of_results",
            "returns the mask before the segment ids",
            _mapped(lambda rows, pad: (rows[0], rows[2], rows[1])),
            "return token_ids, segment_ids, padding_mask",
        ),
    ),
    read="npbert/text/packing.py",
    cases=lambda: [
        ([11, 12], [21, 22, 23], 10, 2, 3, 0),
        ([11, 12, 13, 14, 15], [21, 22], 8, 2, 3, 0),
        ([11], [21, 22, 23, 24, 25, 26], 7, 101, 102, 7),
        ([11, 12, 13, 14, 15], [21, 22, 23, 24, 25, 26], 10, 2, 3, 0),
    ],
    texts=True,
)
