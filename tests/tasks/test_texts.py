"""What may be given as texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from npbert.errors import InputError, InputTypeError
from npbert.tasks.texts import blocks, texts_of

THREE = ["a", "mill", ""]


class Column:
    """As a column of pandas or polars: an iterable with a shape."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def __iter__(self) -> Iterator[str]:
        return iter(THREE)


def test_one_text_is_single() -> None:
    assert texts_of("mill") == (["mill"], True)
    assert texts_of(np.str_("mill")) == (["mill"], True)


@pytest.mark.parametrize(
    "inputs",
    [
        THREE,
        tuple(THREE),
        iter(THREE),
        dict.fromkeys(THREE).keys(),
        np.array(THREE),
        np.array(THREE, object),
        np.array(THREE, np.dtypes.StringDType()),
        Column(3),
    ],
    ids=lambda inputs: type(inputs).__name__,
)
def test_several(inputs: Any) -> None:
    assert texts_of(inputs) == (THREE, False)


def test_none() -> None:
    assert texts_of([]) == ([], False)
    assert texts_of(np.array([], np.str_)) == ([], False)


@pytest.mark.parametrize("inputs", [None, 3, b"mill", {"mill": 1}, {"mill"}, bytearray(b"mill")])
def test_no_list(inputs: Any) -> None:
    with pytest.raises(InputTypeError, match="inputs must be a str or a list of str") as caught:
        texts_of(inputs)
    assert caught.value.received == type(inputs).__name__
    assert "pass a list" in str(caught.value.fix)


@pytest.mark.parametrize("inputs", [Column(3, 1), np.array([THREE]), np.array("mill")])
def test_a_table_is_no_list(inputs: Any) -> None:
    with pytest.raises(InputTypeError, match="inputs must be a str or a list of str"):
        texts_of(inputs)


@pytest.mark.parametrize(
    ("element", "fix"),
    [
        (None, r"replace it by ''"),
        (float("nan"), r"replace it by ''"),
        (7, r"replace it by ''"),
        (b"mill", r"text\.decode\('utf-8'\)"),
        (["mill"], "one flat list"),
        (np.array(["mill"]), "one flat list"),
        (("mill", "house", "river"), "one flat list"),
        (("mill", "house"), "BertTextClassifier takes pairs"),
    ],
)
def test_an_element_that_is_no_text(element: Any, fix: str) -> None:
    with pytest.raises(InputTypeError, match=r"a text must be a str[\s\S]*inputs\[2\]") as caught:
        texts_of(["a", "mill", element])
    assert fix.replace("\\", "") in str(caught.value.fix)


def test_text_that_is_not_unicode() -> None:
    with pytest.raises(InputError, match=r"half of a surrogate pair[\s\S]*inputs\[1\], character"):
        texts_of(["a", "mi\ud800ll"])
    with pytest.raises(InputError, match=r"half of a surrogate pair"):
        texts_of("\udfff")


def test_blocks_are_bounded_and_read_no_further_than_needed() -> None:
    read: list[str] = []

    def source() -> Iterator[str]:
        for text in ["ab", "c", "defg", "h", "i", "j", "klmnop", "q"]:
            read.append(text)
            yield text

    found = blocks(source(), most=3, characters=5)
    assert next(found) == ["ab", "c", "defg"]
    assert read == ["ab", "c", "defg"]
    assert list(found) == [["h", "i", "j"], ["klmnop"], ["q"]]
    assert list(blocks([], 3, 5)) == []


def test_blocks_number_texts_from_the_beginning() -> None:
    found = blocks(["a", "b", None], most=2, characters=9)  # type: ignore[list-item]
    assert next(found) == ["a", "b"]
    with pytest.raises(InputTypeError, match=r"inputs\[2\]"):
        next(found)
