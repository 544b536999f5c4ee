"""WordPiece as learners write it, right and wrong."""

from __future__ import annotations

import pytest

import npbert


def greedy(word, vocabulary, unknown=lambda pieces, rest: ["[UNK]"], mark="##", shown="##"):
    pieces, rest = [], word
    while rest:
        end = len(rest)
        while end and (mark if pieces else "") + rest[:end] not in vocabulary:
            end -= 1
        if not end:
            return unknown(pieces, rest)
        pieces.append((shown if pieces else "") + rest[:end])
        rest = rest[end:]
    return pieces


def shortest(word, vocabulary):
    pieces, start = [], 0
    for end in range(1, len(word) + 1):
        piece = ("##" if pieces else "") + word[start:end]
        if piece in vocabulary:
            pieces.append(piece)
            start = end
    return pieces if start == len(word) else ["[UNK]"]


def every_split(word, vocabulary, mark=""):
    if not word:
        return []
    for end in range(len(word), 0, -1):
        rest = every_split(word[end:], vocabulary, "##")
        if mark + word[:end] in vocabulary and rest != ["[UNK]"]:
            return [mark + word[:end], *rest]
    return ["[UNK]"]


def goes_on_without_end(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            if ("##" if start else "") + word[start:end] in vocabulary:
                pieces.append(("##" if start else "") + word[start:end])
                start = end
                break
    return pieces


WRONG_PIECES = {
    "shortest_first": shortest,
    "pieces_before_unknown": lambda w, v: greedy(w, v, lambda pieces, rest: [*pieces, "[UNK]"]),
    "unknown_dropped": lambda w, v: greedy(w, v, lambda pieces, rest: pieces),
    "suffix_mark_missing": lambda w, v: greedy(w, v, shown=""),
    "suffix_mark_not_asked_for": lambda w, v: greedy(w, v, mark=""),
    "whole_words": lambda w, v: [w] if w in v else ["[UNK]"],
    "goes_back": every_split,
    "endless": goes_on_without_end,
}


@pytest.mark.parametrize("cause", WRONG_PIECES)
def test_wrong_pieces_are_named(cause):
    verdict = npbert.check("wordpiece", WRONG_PIECES[cause])
    assert not verdict
    assert verdict.cause == cause


@pytest.mark.parametrize(
    ("result", "kind"),
    [(str, "str"), (lambda: (c for c in "a"), "generator"), (dict, "dict")],
)
def test_what_is_no_list_is_said(result, kind):
    verdict = npbert.check("wordpiece", lambda w, v: result())
    assert verdict.sentence == f"Your wordpiece returns a {kind}, where a list is expected."


def test_of_a_vocabulary_only_what_is_in_the_word_is_shown():
    # Right in the small example, so that a word of the toy's own is shown.
    verdict = npbert.check("wordpiece", lambda w, v: ["abc", "##d"] if w == "abcd" else [])
    (_, word), (name, shown) = verdict.example.given
    assert (word, name) == ("river", "of vocabulary")
    assert shown == {"river", "##er"}


def test_right_pieces():
    assert npbert.check("wordpiece", greedy)
    assert npbert.check("wordpiece", lambda w, v: tuple(greedy(w, v)))
