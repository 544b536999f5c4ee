"""A small model's cache, and what is in a picture."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from typing import Any

import numpy as np

from npbert.backbone import BertBackbone

TOKENS = ["[CLS]", "the", "river", "bank", "[SEP]"]
LAYERS, HEADS, WIDTH = 3, 2, 8
B, T = 2, 7  # row 1 is the sentence, filled up; row 0 is another


@cache
def small_cache() -> dict[str, Any]:
    """The stages of two rows, random weights."""
    model = BertBackbone(31, LAYERS, HEADS, WIDTH, 12, max_sequence_length=9, seed=5)
    ids = np.array([[2, 4, 5, 6, 7, 8, 3], [2, 11, 21, 14, 3, 0, 0]])
    inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids > 0}
    return model.run_with_cache(inputs)[1]


def svg(figure: Any) -> str:
    """What a notebook shows of a figure."""
    return str(figure._repr_mimebundle_(include=None, exclude=None)["image/svg+xml"])


def words(figure: Any) -> list[str]:
    """The texts in a picture, in the order in which they are drawn."""
    return [
        unescape(each).strip() for each in re.findall(r"<text [^>]*>([^<]*)</text>", svg(figure))
    ]
