"""Rows of token ids as a call of a `BertTokenizer` returns them.

Source: keras_hub/src/tokenizers/word_piece_tokenizer.py, ``WordPieceTokenizer._tokenize_python``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npbert.text.tokenizer_settings import TokenizerSettings


def as_returned(
    rows: Sequence[list[int]], settings: TokenizerSettings, vocabulary: Sequence[str]
) -> Any:
    """Arrays or lists of tokens, one a row; with ``sequence_length`` one array of all the rows.

    Args:
        rows: the ids of each text.
        settings: say how long a row is, and whether it is of ids or of tokens.
        vocabulary: the tokens.
    """
    length = settings.sequence_length
    if settings.dtype == "string":
        tokens = [[vocabulary[id] for id in row] for row in rows]
        return tokens if length is None else [(row + [""] * length)[:length] for row in tokens]
    if length is None:
        return [np.array(row, settings.dtype) for row in rows]
    found = np.zeros((len(rows), length), settings.dtype)
    for i, row in enumerate(rows):
        found[i, : len(row)] = row[:length]
    return found
