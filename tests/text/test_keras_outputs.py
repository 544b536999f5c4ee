"""What a call returns of rows of ids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from npbert.text.keras_outputs import as_returned
from npbert.text.tokenizer_settings import TokenizerSettings

ROWS = [[2, 0, 1], [], [1]]
WORDS = ["a", "b", "c"]


def returned(rows: list[list[int]] = ROWS, **settings: Any) -> Any:
    return as_returned(rows, TokenizerSettings(**settings), WORDS)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_ids(dtype: str) -> None:
    rows = returned(dtype=dtype)
    assert [row.dtype for row in rows] == [np.dtype(dtype)] * 3
    assert [row.tolist() for row in rows] == ROWS
    padded = returned(dtype=dtype, sequence_length=2)
    assert padded.dtype == np.dtype(dtype)
    assert padded.tolist() == [[2, 0], [0, 0], [1, 0]]


def test_tokens() -> None:
    assert returned(dtype="string") == [["c", "a", "b"], [], ["b"]]
    assert returned(dtype="string", sequence_length=2) == [["c", "a"], ["", ""], ["b", ""]]


def test_no_rows() -> None:
    assert returned([]) == []
    assert returned([], dtype="string", sequence_length=2) == []
    assert returned([], sequence_length=2).shape == (0, 2)
