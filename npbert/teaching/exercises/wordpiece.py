"""A word to its pieces: what learners write instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from npbert.teaching.exercise import Exercise, Mistake
from npbert.teaching.toy_run import tokenizer
from npbert.text.wordpiece import WordPiece

UNKNOWN: Final = "[UNK]"
_WORDS: Final = (
    *("river", "rivers", "walked", "banker", "riverbank"),
    *("riverx", "xyz", "they", "and"),
)
_FORKED: Final = {UNKNOWN, "un", "una", "##ffable", "##affable", "##able", "##f", "u", "##e"}
_DEAD_END: Final = {UNKNOWN, "ab", "abc", "##cd", "b", "a"}
"""Greedy search takes "abc", and then has nothing for "d"."""


def _wordpiece(word: str, vocabulary: set[str]) -> list[str]:
    tokens = sorted(vocabulary)
    ids = {token: id for id, token in enumerate(tokens)}
    return [tokens[piece.id] for piece in WordPiece(ids, "##", ids[UNKNOWN]).cut(word)]


def _cut(
    word: str,
    vocabulary: set[str],
    *,
    ends: Callable[[int, int], Sequence[int]] = lambda start, end: range(end, start, -1),
    mark: str = "##",
    shown: str = "##",
    unknown: Callable[[list[str], str], list[str]] = lambda found, rest: [UNKNOWN],
) -> list[str]:
    """WordPiece, and what becomes of it in other hands."""
    found: list[str] = []
    start = 0
    while start < len(word):
        for end in ends(start, len(word)):
            if (mark if start else "") + word[start:end] in vocabulary:
                break
        else:
            return unknown(found, word[start:])
        found.append((shown if start else "") + word[start:end])
        start = end
    return found


def _with_return(word: str, vocabulary: set[str], start: int = 0) -> list[str]:
    """Goes back where greedy search gives up."""
    if start == len(word):
        return []
    for end in range(len(word), start, -1):
        piece = ("##" if start else "") + word[start:end]
        if piece in vocabulary:
            rest = _with_return(word, vocabulary, end)
            if rest != [UNKNOWN]:
                return [piece, *rest]
    return [UNKNOWN]


_WHOLE: Final = "one piece that is missing makes the whole word [UNK]"
_LONGEST: Final = "try the longest piece first: end = len(word), then one less, and so on"

WORDPIECE: Final = Exercise(
    call="wordpiece(word, vocabulary)",
    shapes="str, set of str -> list of str",
    right=_wordpiece,
    tiny=("abcd", {UNKNOWN, "a", "ab", "abc", "##d", "##c", "##cd"}),
    mistakes=(
        Mistake(
            "shortest_first",
            "takes the shortest piece that fits, where the longest is expected",
            partial(_cut, ends=lambda start, end: range(start + 1, end + 1)),
            _LONGEST,
        ),
        Mistake(
            "pieces_before_unknown",
            "keeps the pieces that it found before the unknown one",
            partial(_cut, unknown=lambda found, rest: [*found, UNKNOWN]),
            _WHOLE,
        ),
        Mistake(
            "unknown_dropped",
            "drops the rest of a word that cannot be cut further",
            partial(_cut, unknown=lambda found, rest: found),
            _WHOLE,
        ),
        Mistake(
            "unknown_dropped",
            "returns nothing for a word that cannot be cut",
            partial(_cut, unknown=lambda found, rest: []),
            _WHOLE,
        ),
        Mistake(
            "unknown_kept",
            "keeps what is not in the vocabulary as a piece",
            partial(_cut, unknown=lambda found, rest: [*found, f"##{rest}" if found else rest]),
            _WHOLE,
        ),
        Mistake(
            "suffix_mark_missing",
            "returns the pieces inside a word without their ##",
            partial(_cut, shown=""),
            "a piece that does not begin a word is a token of its own, ## included",
        ),
        Mistake(
            "suffix_mark_not_asked_for",
            "looks up the pieces inside a word without ##",
            partial(_cut, mark="", shown=""),
            'ask the vocabulary for "##" + piece after the first piece',
        ),
        Mistake(
            "suffix_mark_not_asked_for",
            "looks up the pieces inside a word without ##, and puts it before them afterwards",
            partial(_cut, mark=""),
            'ask the vocabulary for "##" + piece after the first piece',
        ),
        Mistake(
            "whole_words",
            "knows whole words only",
            lambda word, vocabulary: [word if word in vocabulary else UNKNOWN],
            "look for the longest beginning of the word that is a token, then go on behind it",
        ),
        Mistake(
            "goes_back",
            "tries shorter pieces where the longest leads nowhere: WordPiece is greedy, and gives"
            " up there",
            _with_return,
            "return [UNK] as soon as nothing fits",
        ),
    ),
    read="npbert/text/wordpiece.py",
    cases=lambda: [
        *((word, set(tokenizer().get_vocabulary())) for word in _WORDS),
        *(("unaffable", _FORKED), ("abcd", _DEAD_END), ("ab", _DEAD_END)),
    ],
    texts=True,
)
