"""Greedy pieces, the limit in bytes, and what is remembered."""

from __future__ import annotations

import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.text import wordpiece as module
from npbert.text.wordpiece import Piece, WordCache, WordPiece, join_pieces

TOKENS = ["?", "un", "##aff", "##able", "aff", "unable", "##a", "a", "##", "é", "b" * 100, "##ff"]
IDS = {token: id for id, token in enumerate(TOKENS)}


def pieces(word: str, suffix: str = "##") -> list[str]:
    return [TOKENS[piece.id] for piece in WordPiece(IDS, suffix, 0).cut(word)]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("", []),
        ("unaffable", ["un", "##aff", "##able"]),
        ("unable", ["unable"]),
        ("unaffablex", ["?"]),
        ("xun", ["?"]),
        ("una", ["un", "##a"]),
        ("##a", ["##a"]),
        ("##un", ["?"]),
        ("##ff", ["##ff"]),
        ("##", ["##"]),
        ("é", ["é"]),
    ],
)
def test_the_longest_first_and_unknown_as_a_whole(word: str, expected: list[str]) -> None:
    assert pieces(word) == expected


def test_pieces_have_their_places() -> None:
    found = WordPiece(IDS, "##", 0).cut("unaffable")
    assert [(p.start, p.end) for p in found] == [(0, 2), (2, 5), (5, 9)]
    assert WordPiece(IDS, "##", 0).cut("xyz") == [Piece(0, 0, 3)]


def test_other_indicators() -> None:
    assert pieces("unaff", "") == ["un", "aff"]
    assert pieces("aable", "un") == ["a", "unable"]


@pytest.mark.parametrize(
    ("word", "known"),
    [("b" * 100, True), ("b" * 101, False), ("é" * 50, True), ("é" * 51, False)],
)
def test_the_limit_is_in_bytes(word: str, known: bool) -> None:
    ids = {token: i for i, token in enumerate(["?", "b" * 100, "b" * 101, "é", "##é"])}
    assert (WordPiece(ids, "##", 0).cut(word) != [Piece(0, 0, len(word))]) is known


@given(st.text("unafbleé#", max_size=30))
def test_the_greedy_rule_written_out(word: str) -> None:
    expected: list[str] = []
    start = 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = [e for e in range(len(word), start, -1) if prefix + word[start:e] in IDS]
        if not ends:
            expected = ["?"]
            break
        expected.append(prefix + word[start : ends[0]])
        start = ends[0]
    assert pieces(word) == expected


def test_a_million_long_words_take_no_time() -> None:
    wordpiece = WordPiece(IDS, "##", 0)
    start = time.perf_counter()
    wordpiece.cut("a" * 5_000_000)
    for _ in range(2000):
        wordpiece.cut("a" * 99)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([], ""),
        (["un", "##aff", "a"], "unaff a"),
        (["##aff", "##a"], "##affa"),
        (["a", "##", "##"], "a ## ##"),
    ],
)
def test_joining(tokens: list[str], text: str) -> None:
    assert join_pieces(tokens, "##") == text


def cache() -> WordCache:
    return WordCache(str.lower, WordPiece(IDS, "##", 0).cut)


def test_words_are_folded_cut_and_remembered() -> None:
    words = cache()
    assert words["UNAFF"] == (1, 2)
    assert dict(words) == {"UNAFF": (1, 2)}
    assert words["UNAFF"] is words["UNAFF"]


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHED_WORDS", 7)
    words = cache()
    for i in range(100):
        assert words[f"un{i}"] == (0,)
        assert len(words) <= 7
    assert words["z" * 101] == (0,)
    assert "z" * 101 not in words


def test_it_may_be_asked_from_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHED_WORDS", 5)
    words = cache()
    asked = ["un", "UNAFF", "a", "x", "unable", "Aff", "AA", "UN"] * 500
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: [words[word] for word in asked], range(4)))
    assert all(each == [cache()[word] for word in asked] for each in found)


def test_a_copy_in_another_process_begins_empty() -> None:
    words = cache()
    assert words["UN"] == (1,)
    copy = pickle.loads(pickle.dumps(words))
    assert dict(copy) == {}
    assert copy["UNAFF"] == (1, 2)
