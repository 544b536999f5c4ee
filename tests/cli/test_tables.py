"""What a person reads."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from npbert.cli.tables import (
    MATRIX_TEXTS,
    classes_table,
    readable,
    similarity_table,
    vectors_table,
)
from npbert.tasks.similarity import SIMILARITIES


def show(table: Table, width: int = 80, colour: Literal["standard"] | None = None) -> str:
    console = Console(width=width, color_system=colour, force_terminal=colour is not None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_vectors() -> None:
    shown = show(vectors_table(["one [bold]", "two"], np.eye(2, 7, dtype=np.float32) * 3), 100)
    assert "2 x 7" in shown
    assert "one [bold]" in shown
    assert "3.00000  0.00000" in shown
    assert "3.0000 " in shown


@pytest.mark.parametrize("count", [1, 2, MATRIX_TEXTS])
def test_a_square_of_similarities_fits_80_columns(count: int) -> None:
    cosines = -np.arange(count * count, dtype=np.float32).reshape(count, count) / 100
    shown = show(similarity_table(["a text of some length"] * count, cosines, "cosine"))
    for i in range(count):
        for j in range(count):
            assert i == j or f"{cosines[i, j]:.2f}" in shown
    assert shown.count(" - ") >= count
    assert any(line.rstrip().endswith(f" {count}") for line in shown.split("\n"))


def test_many_texts_show_the_closest_of_each() -> None:
    count = MATRIX_TEXTS + 1
    cosines = np.zeros((count, count), np.float32)
    np.fill_diagonal(cosines, 1)
    cosines[0, 7] = 0.625
    texts = [f"text{i}" for i in range(count)]
    shown = show(similarity_table(texts, cosines, "cosine")).split("\n")
    first = next(line for line in shown if "text0" in line)
    assert "text7" in first
    assert "0.62" in first


def test_how_texts_are_compared_is_named() -> None:
    scales = ("1 is the same meaning", "the higher, the closer", "0 is the same", "0 is the same")
    for function, scale in zip(SIMILARITIES, scales, strict=True):
        for count in (3, MATRIX_TEXTS + 1):
            values = np.full((count, count), 0.9, np.float32)
            table = similarity_table(["a text of some length"] * count, values, function)
            words = f"How alike ({function}): {scale}" if count == 3 else f" {function} "
            assert words in show(table)
            shaded = "\x1b[1;37;42m 0.90" in show(table, colour="standard")
            assert shaded == (function == "cosine")


def test_names_of_classes_do_not_reach_the_terminal_as_they_are() -> None:
    shown = show(classes_table(["one"], [[{"label": "good\x1b[31m [b]", "score": 0.25}]]))
    assert "good·[31m [b] 0.250" in shown


def test_readable() -> None:
    assert readable("a\tb\x1b[31m\n", 20).plain == "a·b·[31m·"
    assert readable("abcdef", 6).plain == "abcdef"
    assert readable("abcdefg", 6).plain == "abcde…"
    assert readable("", 6).plain == ""
