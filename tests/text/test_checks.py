"""What may be a text, and how texts are taken together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.errors import InputError, InputTypeError
from npbert.text import checks
from npbert.text.checks import Text, check_text, chunks, is_pair


def test_a_text_and_a_pair_count_their_characters() -> None:
    assert [check_text("mill"), check_text(("mill", "née")), check_text("")] == [4, 7, 0]


@given(st.lists(st.one_of(st.text("añ", max_size=9), st.tuples(st.text("b"), st.text("c")))))
def test_chunks_hold_every_text_in_order(texts: list[Text]) -> None:
    found = [text for start, stop in chunks(texts) for text in texts[start:stop]]
    assert found == texts


def test_chunks_are_bounded_in_number_and_in_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_TEXTS_AT_ONCE", 3)
    monkeypatch.setattr(checks, "_CHARACTERS_AT_ONCE", 10)
    assert chunks(["a"] * 7) == [(0, 3), (3, 6), (6, 7)]
    assert chunks(["abcdef", "abcd", "e", "x" * 50, "y"]) == [(0, 2), (2, 3), (3, 4), (4, 5)]
    assert chunks([("abcdef", "abcd"), "e"]) == [(0, 1), (1, 2)]
    assert chunks([]) == []


def test_half_a_surrogate_pair_is_an_error_with_its_place() -> None:
    with pytest.raises(InputError, match="half of a surrogate pair") as caught:
        chunks(["mill"] * 1030 + ["the \ud83d mill"])
    assert caught.value.where == "texts[1030], character 4"
    with pytest.raises(InputError, match="half of a surrogate pair") as caught:
        chunks([("mill", "\udc00")])
    assert caught.value.where == "texts[0][1], character 0"


WRONG = [None, 3, 1.5, float("nan"), b"mill", ["mill"], ["a", "b"]]


@pytest.mark.parametrize("wrong", [*WRONG, ("a",), ("a", "b", "c"), ("a", None), ()])
def test_what_is_not_a_text_is_an_error_with_its_index(wrong: object) -> None:
    assert not is_pair(wrong)
    with pytest.raises(InputTypeError, match=r"a text must be a str[\s\S]*tuple of two") as caught:
        chunks(["mill", wrong])  # type: ignore[list-item]
    assert caught.value.where == "texts[1]"
    assert type(wrong).__name__ in str(caught.value.received)


def test_a_text_that_is_far_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MAX_CHARACTERS", 5)
    with pytest.raises(InputError, match=r"the text is too long[\s\S]*texts\[1\][\s\S]*split it"):
        chunks(["mill", "river "])
    assert check_text(("mill", "river")) == 9
