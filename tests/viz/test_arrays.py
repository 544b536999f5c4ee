"""Arrays in a few lines of text."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from npbert import viz
from npbert.errors import InputError

NAN = float("nan")


@pytest.mark.parametrize(
    ("array", "letters", "text"),
    [
        ([[1.0, -2.5]], "B D", "(B=1, D=2) float64, from -2.5000 to 1.0000\n 1.0000 -2.5000\n"),
        (3.0, "", "() float64, from 3.0000 to 3.0000\n3.0000\n"),
        ([4, 10], "T", "(T=2) int64, from 4 to 10\n 4 10\n"),
        ([[True], [False]], "", "(2, 1) bool, from False to True\n True\nFalse\n"),
        ([-1e-9], "", "(1,) float64, from 0.0000 to 0.0000\n0.0000\n"),
        ([NAN, 1.0], "", "(2,) float64, from 1.0000 to 1.0000, 1 not a number\n   nan 1.0000\n"),
        ([NAN], "", "(1,) float64, 1 not a number\nnan\n"),
        (np.zeros((0, 3)), "B D", "(B=0, D=3) float64\n"),
        (np.ones((2, 1, 1), "f"), "", "(2, 1, 1) float32, from 1.0000 to 1.0000; [0] is\n1.0000\n"),
        (
            np.full((1, 1, 1, 1), 0.5, ml_dtypes.bfloat16),
            "B N T T",
            "(B=1, N=1, T=1, T=1) bfloat16, from 0.5000 to 0.5000; [0, 0] is\n0.5000\n",
        ),
    ],
)
def test_what_is_printed(array: Any, letters: str, text: str, capsys: Any) -> None:
    viz.show(array, letters)
    assert capsys.readouterr().out == text


def test_a_large_matrix_is_cut(capsys: Any) -> None:
    viz.show(np.arange(200.0).reshape(10, 20), "T D", rows=2, digits=1)
    assert capsys.readouterr().out == (
        "(T=10, D=20) float64, from 0.0 to 199.0\n"
        " 0.0  1.0  2.0  3.0  4.0  5.0  6.0  7.0 ...\n"
        "20.0 21.0 22.0 23.0 24.0 25.0 26.0 27.0 ...\n"
        "...\n"
    )


def test_letters_that_do_not_fit() -> None:
    with pytest.raises(InputError, match=r"a letter for each dimension(.|\n)*'B T' for an array"):
        viz.show([1.0], "B T")
