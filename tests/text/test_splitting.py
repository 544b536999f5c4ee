"""Where a word ends."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.text.splitting import Splitter, word_pattern
from npbert.text.unicode_classes import (
    ASCII_SYMBOLS,
    CJK,
    CONTROL,
    PUNCTUATION,
    SPACE,
    char_class,
)

SPECIAL = ("[CLS]", "[MASK]")
DROPPED = re.compile(f"[{char_class(SPACE, CONTROL)}]")
KEPT = re.compile(f"[{char_class(ASCII_SYMBOLS, PUNCTUATION, CJK)}]")


def splitter(**settings: object) -> Splitter:
    defaults = {"lowercase": False, "strip_accents": False, "split": True}
    more = {"split_on_cjk": True, "special_tokens": ()}
    return Splitter(**{**defaults, **more, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n\r\f\v\x00\x85\u200b\u00ad\ufeff", []),
        ("The fox.", ["The", "fox", "."]),
        ("don't", ["don", "'", "t"]),
        ("a\x00b\u00adc\u200dd", ["a", "b", "c", "d"]),
        ("a\u00a0b\u3000c\u2028d", ["a\u00a0b\u3000c\u2028d"]),
        ("$1+1=2~`^|", ["$", "1", "+", "1", "=", "2", "~", "`", "^", "|"]),
        ("a—b…c¿", ["a", "—", "b", "…", "c", "¿"]),
        ("x漢字か한", ["x", "漢", "字", "か한"]),
        ("👍🏽☺", ["👍🏽☺"]),
        ("quíck", ["quíck"]),
        ("[CLS] a", ["[", "CLS", "]", "a"]),
        ("__a__", ["_", "_", "a", "_", "_"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert splitter().words(text) == words


def test_cjk_may_stay_together() -> None:
    assert splitter(split_on_cjk=False).words("x漢字。か") == ["x漢字", "。", "か"]


def test_without_splitting_a_text_is_one_word() -> None:
    whole = splitter(split=False, special_tokens=SPECIAL)
    assert whole.words("The [CLS].\n") == ["The [CLS].\n"]
    assert splitter(split=False, lowercase=True).fold("The [CLS]") == "the [cls]"


@pytest.mark.parametrize(
    ("special", "text", "words"),
    [
        (SPECIAL, "x[CLS]y [[MASK]] [MASK", ["x", "[CLS]", "y", "[", "[MASK]", "]", "[", "MASK"]),
        (("foo",), "xfoobar foo", ["x", "foo", "bar", "foo"]),
        (("a b",), "xa bc a  b", ["x", "a b", "c", "a", "b"]),
        ((" ",), "a b", ["a", " ", "b"]),
        (("ab", "abc"), "abc", ["ab", "c"]),
        (("abc", "ab"), "abc", ["abc"]),
        (("a.",), "a.ab", ["a.", "ab"]),
    ],
)
def test_special_tokens_are_found_first(
    special: tuple[str, ...], text: str, words: list[str]
) -> None:
    assert splitter(special_tokens=special).words(text) == words


def test_special_tokens_are_not_folded_and_words_are_after_the_split() -> None:
    low = splitter(lowercase=True, special_tokens=SPECIAL)
    assert [low.fold(word) for word in low.words("The [CLS] [cls]. ½")] == [
        *("the", "[CLS]", "[", "cls", "]", ".", "1⁄2"),
    ]


def test_accents_go_before_the_split() -> None:
    # U+037E decomposes to a semicolon, U+0340 is a mark.
    assert splitter(strip_accents=True).words("é\u037eà\u0340b") == ["e", ";", "ab"]


@given(st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aB1 é漢."))))
def test_words_are_what_lies_between_the_delimiters(text: str) -> None:
    expected = [w for w in re.split(f"({KEPT.pattern})|{DROPPED.pattern}", text) if w]
    assert splitter().words(text) == expected


@given(
    st.text(st.sampled_from("abé [CLS].漢\u00ad")),
    st.lists(st.text(st.sampled_from("aé[C."), min_size=1, max_size=2), max_size=3),
)
def test_special_tokens_by_the_rule_of_one_position_after_another(
    text: str, special: list[str]
) -> None:
    words, rest = [], ""
    at = 0
    while at < len(text):
        token = next((s for s in special if text.startswith(s, at)), None)
        kept = token or (text[at] if KEPT.match(text[at]) else None)
        if kept is None and not DROPPED.match(text[at]):
            rest += text[at]
        else:
            words += [w for w in (rest, kept) if w]
            rest = ""
        at += len(token or " ")
    assert word_pattern(True, special).findall(text) == words + [rest] * bool(rest)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans(), st.booleans())
def test_places_are_those_of_the_words(text: str, strip: bool, split: bool) -> None:
    found = splitter(strip_accents=strip, split=split)
    places = found.places(text)
    assert [word for word, _ in places] == found.words(text)
    for word, origins in places:
        assert len(origins) == len(word)
        if not strip:
            assert "".join(text[i] for i in origins) == word
