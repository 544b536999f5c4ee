from __future__ import annotations

import numpy as np
import pytest

from npbert.errors import InputError, InputTypeError
from npbert.tasks.pairs import texts_and_pairs


@pytest.mark.parametrize(
    ("x", "texts", "single"),
    [
        ("a", ["a"], True),
        (("a", "b"), [("a", "b")], True),
        (["a", "b"], ["a", "b"], False),
        ([], [], False),
        ([("a", "b"), ["c", "d"], "e"], [("a", "b"), ("c", "d"), "e"], False),
        ((["a", "b"], ["c", "d"]), [("a", "c"), ("b", "d")], False),
        (np.array(["a", "b"]), ["a", "b"], False),
        (np.array([["a", "b"], ["c", "d"]]), [("a", "b"), ("c", "d")], False),
        pytest.param((text for text in "ab"), ["a", "b"], False, id="generator"),
    ],
    ids=str,
)
def test_texts_and_pairs(x, texts, single):
    assert texts_and_pairs(x) == (texts, single)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (5, InputTypeError, "a text must be a str"),
        (None, InputTypeError, "a text must be a str"),
        (b"a", InputTypeError, "a text must be a str"),
        (["a", None], InputTypeError, r"x\[1\]"),
        (["a", 5.0], InputTypeError, r"x\[1\]"),
        ([("a", "b"), ("c", 5)], InputTypeError, r"x\[1\]"),
        ([["a", "b", "c"]], InputError, r"more than two segments(.|\n)*x\[0\](.|\n)*3 segments"),
        (("a", "b", "c"), InputError, r"more than two segments"),
        ((["a"], ["b", "c"]), InputError, "lists of one length"),
        (["\ud800"], InputError, "half of a surrogate pair"),
    ],
    ids=str,
)
def test_what_is_neither(x, error, words):
    with pytest.raises(error, match=words):
        texts_and_pairs(x)


def test_a_table():
    class Table:
        columns = ("a", "b")

    with pytest.raises(InputTypeError, match=r"a whole table(.|\n)*Table(.|\n)*one column"):
        texts_and_pairs(Table())
