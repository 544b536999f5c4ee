"""The tables say what this Python's Unicode says, of every character that it knows."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from npbert.text.unicode_classes import (
    ASCII_SYMBOLS,
    CJK,
    CONTROL,
    IGNORABLE,
    PUNCTUATION,
    SPACE,
    char_class,
    ranges,
)

TABLES = (ASCII_SYMBOLS, CJK, CONTROL, IGNORABLE, PUNCTUATION, SPACE)


def members(table: str) -> set[int]:
    return {code for first, last in ranges(table) for code in range(first, last + 1)}


@pytest.mark.parametrize(
    ("table", "categories"),
    [(PUNCTUATION, ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po")), (CONTROL, ("Cc", "Cf"))],
)
def test_categories(table: str, categories: tuple[str, ...]) -> None:
    found = members(table)
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        if category != "Cn":
            assert (category in categories) is (code in found), hex(code)


def test_ascii_symbols_are_all_but_letters_digits_and_controls() -> None:
    expected = {c for c in range(33, 127) if not chr(c).isalnum()}
    assert members(ASCII_SYMBOLS) == expected


def test_cjk_has_neither_kana_nor_hangul() -> None:
    found = members(CJK)
    assert all(ord(c) in found for c in "丂漢豈𠀀")
    assert not any(ord(c) in found for c in "かカ한ㄅ々〇")


@pytest.mark.parametrize("table", TABLES)
def test_ranges_ascend_and_do_not_touch_surrogates(table: str) -> None:
    flat = [code for pair in ranges(table) for code in pair]
    assert flat == sorted(flat)
    assert not members(table) & set(range(0xD800, 0xE000))


def test_a_class_matches_the_members_of_its_tables_alone() -> None:
    pattern = re.compile(f"[{char_class(SPACE, CJK)}]")
    found = {code for code in range(0x30000) if pattern.match(chr(code))}
    assert found == members(CJK) | {0x20}
