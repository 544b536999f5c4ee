"""What a call may be given, and what it is told of the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from npbert.errors import InputError, InputTypeError
from npbert.text.keras_inputs import ids_of, is_batch, plain, samples_of, texts_of, words_of


class Column:
    """As a column of pandas or polars: it can be gone through."""

    def __iter__(self):
        return iter(["a", "b"])


@pytest.mark.parametrize(
    "batch", [["a", "b"], ("a", "b"), np.array(["a", "b"]), np.array(["a", "b"], object), Column()]
)
def test_batches_of_texts(batch: Any) -> None:
    assert texts_of(batch) == (["a", "b"], True)
    assert all(type(text) is str for text in texts_of(batch)[0])


def test_one_text_and_no_texts() -> None:
    assert texts_of("ab") == (["ab"], False)
    assert texts_of(np.str_("ab")) == (["ab"], False)
    assert texts_of([]) == ([], True)


@pytest.mark.parametrize("wrong", [None, 3, 1.5, b"a", {"a": 1}, {"a"}, np.array(3)])
def test_what_is_no_text(wrong: object) -> None:
    with pytest.raises(InputTypeError, match=r"a text must be a str[\s\S]*inputs"):
        texts_of(wrong)
    with pytest.raises(InputTypeError, match=r"a text must be a str[\s\S]*inputs\[1\]"):
        texts_of(["a", wrong])


@pytest.mark.parametrize("nested", [[["a"]], [("a", "b")], np.array([["a"], ["b"]])])
def test_nested_lists(nested: object) -> None:
    with pytest.raises(InputTypeError, match=r"inputs\[0\][\s\S]*one list of them"):
        texts_of(nested)


def test_half_a_surrogate_pair() -> None:
    with pytest.raises(InputError, match=r"surrogate[\s\S]*inputs\[1\], character 1"):
        texts_of(["a", "b\ud800"])


@pytest.mark.parametrize(
    ("inputs", "samples", "batched"),
    [
        ("a", [["a"]], False),
        (["a", "b"], [["a", "b"]], False),
        ([["a", "b"], ["c"]], [["a", "b"], ["c"]], True),
        ([[]], [[]], True),
        ([], [[]], False),
        (np.array([["a", "b"]]), [["a", "b"]], True),
    ],
)
def test_words(inputs: Any, samples: list[list[str]], batched: bool) -> None:
    assert words_of(inputs) == (samples, batched)


def test_words_that_are_none() -> None:
    with pytest.raises(InputTypeError, match=r"inputs\[1\]\[0\]"):
        words_of([["a"], [3]])
    with pytest.raises(InputTypeError, match=r"inputs\[0\][\s\S]*\['a'\] \(list\)"):
        words_of([["a"], "b"])


@pytest.mark.parametrize(
    ("inputs", "sequences", "batched"),
    [
        (5, [[5]], False),
        (np.int32(5), [[5]], False),
        ([5, 6], [[5, 6]], False),
        (np.array([5, 6], np.int32), [[5, 6]], False),
        ([[5], [6, 7]], [[5], [6, 7]], True),
        ([np.array([5]), np.array([], np.int32)], [[5], []], True),
        (np.array([[5, 6]]), [[5, 6]], True),
        ([], [[]], False),
        ([[]], [[]], True),
    ],
)
def test_ids(inputs: Any, sequences: list[list[int]], batched: bool) -> None:
    assert ids_of(inputs) == (sequences, batched)


@pytest.mark.parametrize("wrong", ["a", 1.5, [1.0], [[1], 2], [True], None, [[[1]]]])
def test_what_is_no_id(wrong: object) -> None:
    with pytest.raises(InputTypeError, match="a token id must be an int"):
        ids_of(wrong)


@pytest.mark.parametrize(
    ("x", "samples", "batched"),
    [
        ("a", [("a",)], False),
        (["a", "b"], [("a",), ("b",)], True),
        (("a", "b"), [("a", "b")], False),
        (("a", "b", "c"), [("a", "b", "c")], False),
        (("a",), [("a",)], False),
        ((["a", "b"], ["c", "d"]), [("a", "c"), ("b", "d")], True),
        ((["a", "b"], np.array(["c", "d"])), [("a", "c"), ("b", "d")], True),
        ([("a", "b"), ("c", "d")], [("a", "b"), ("c", "d")], True),
        (["a", ("b", "c")], [("a",), ("b", "c")], True),
        ([], [], True),
        (([], []), [], True),
    ],
)
def test_samples(x: Any, samples: list[tuple[str, ...]], batched: bool) -> None:
    assert samples_of(x) == (samples, batched)


@pytest.mark.parametrize(
    ("x", "where"),
    [
        ((["a", "b"], [0, 1]), r"x\[1\]\[0\]"),  # labels
        (("a", 1), r"x\[1\]"),
        ([["a", "b"]], r"x\[0\]"),
        ([("a", None)], r"x\[0\]\[1\]"),
        (b"a", "x"),
    ],
)
def test_samples_that_are_none(x: Any, where: str) -> None:
    with pytest.raises(InputTypeError, match=rf"{where}\n[\s\S]*labels as y="):
        samples_of(x)


def test_segments_of_different_lengths() -> None:
    with pytest.raises(InputError, match=r"lists of one length[\s\S]*a list of 2, a list of 1"):
        samples_of((["a", "b"], ["c"]))
    with pytest.raises(InputError, match="a list of 2, a str"):
        samples_of((["a", "b"], "c"))
    with pytest.raises(InputError, match="an input has no segments"):
        samples_of(())
    with pytest.raises(InputError, match=r"no segments[\s\S]*x\[1\]"):
        samples_of(["a", ()])


def test_is_batch_and_plain() -> None:
    assert is_batch([])
    assert not is_batch("ab")
    assert not is_batch(np.array("ab"))
    assert plain(np.array([1])) == [1]
    assert type(plain(np.array([1]))[0]) is int
