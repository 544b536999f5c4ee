"""Packing as learners write it, right and wrong."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pytest

import npbert


def packed(first, second, length, cls_id, sep_id, pad_id, *, trim=True, **more):
    first, second = list(first), list(second)
    while trim and len(first) + len(second) > length - 3:
        (first if len(first) > len(second) else second).pop()
    ids = [cls_id, *first, sep_id, *second, sep_id]
    segments = [0] * (len(first) + 2) + [1] * (len(second) + 1)
    left = length - len(ids)
    filled = ids + [pad_id] * left, segments + [0] * left, [1] * len(ids) + [0] * left
    return tuple(row[:length] for row in filled)


def changed(which, change):
    def wrong(*x):
        rows = list(packed(*x))
        rows[which] = change(rows[which], rows)
        return tuple(rows)

    return wrong


WRONG_ROWS = {
    "mask_inverted": changed(2, lambda mask, rows: [1 - each for each in mask]),
    "mask_of_ones": changed(2, lambda mask, rows: [1 for each in mask]),
    "one_segment": changed(1, lambda segments, rows: [0 for each in segments]),
    "padding_segment": changed(
        1, lambda segments, rows: [s if m else 1 for s, m in zip(segments, rows[2])]
    ),
    "cut_after_packing": lambda *x: packed(*x, trim=False),
    "order_of_results": lambda *x: (packed(*x)[0], packed(*x)[2], packed(*x)[1]),
    "sep_segment": changed(1, lambda s, rows: [b or (a > b) for a, b in zip([*s[1:], 0], s)]),
}


@pytest.mark.parametrize("cause", WRONG_ROWS)
def test_wrong_rows_are_named(cause):
    verdict = npbert.check("pack_pair", WRONG_ROWS[cause])
    assert not verdict
    assert verdict.cause == cause


class Row(NamedTuple):
    token_ids: list[int]
    segment_ids: list[int]
    padding_mask: list[int]


def test_rows_may_have_names():
    assert npbert.check("pack_pair", lambda *x: Row(*packed(*x)))


def test_rows_may_be_compiled():
    """While numba compiles, at the first call, it takes more steps than a learner may."""
    numba = pytest.importorskip("numba")

    @numba.njit
    def compiled(first, second, length, cls_id, sep_id, pad_id):
        ids, segments, kept = [cls_id], [0], [1]
        a, b = len(first), len(second)
        while a + b > length - 3:
            if a > b:
                a -= 1
            else:
                b -= 1
        for i in range(a):
            ids.append(first[i])
        ids.append(sep_id)
        for i in range(b):
            ids.append(second[i])
        ids.append(sep_id)
        for i in range(1, length):
            segments.append(1 if a + 2 <= i < a + b + 3 else 0)
            kept.append(1 if i < a + b + 3 else 0)
        while len(ids) < length:
            ids.append(pad_id)
        return ids, segments, kept

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lists in numba are to change
        assert npbert.check("pack_pair", compiled)
        assert numba.njit(lambda x: x + 1)(1) == 2


def test_right_rows():
    assert npbert.check("pack_pair", packed), npbert.check("pack_pair", packed)
    assert npbert.check("pack_pair", lambda *x: [np.array(row) for row in packed(*x)])
