"""Tokens against tokens: the first that differs, and what of the text it stands for."""

from __future__ import annotations

import pytest

from npbert.parity.tokens import compare_tokens
from npbert.parity.types import Tokens

TEXTS = ("one two", "Café au lait", "many many words")
TOKENS = (
    ["[CLS]", "one", "two", "[SEP]"],
    ["[CLS]", "cafe", "au", "lait", "[SEP]"],
    ["[CLS]", "many", "many", "words", "[SEP]"],
)
OFFSETS = (
    [(0, 0), (0, 3), (4, 7), (0, 0)],
    [(0, 0), (0, 4), (5, 7), (8, 12), (0, 0)],
    [(0, 0), (0, 4), (5, 9), (10, 15), (0, 0)],
)
IDS = {word: i for i, word in enumerate(sorted({word for row in TOKENS for word in row}))}


def tokens(rows=TOKENS, offsets=OFFSETS):
    ids = [[IDS.get(word, 90) for word in row] for row in rows]
    return Tokens(ids, rows, offsets)


def replaced(i, row, offsets):
    return tokens(
        [row if j == i else TOKENS[j] for j in range(3)],
        [offsets if j == i else OFFSETS[j] for j in range(3)],
    )


def test_the_same_tokens():
    found = compare_tokens(TEXTS, tokens(), tokens(offsets=None))
    assert (found.texts, found.different, found.offsets, found.text) == (3, 0, 0, None)


def test_the_first_token_that_differs_and_its_characters():
    row = ["[CLS]", "Ca", "##fé", "au", "lait", "[SEP]"]
    other = replaced(1, row, [(0, 0), (0, 2), (2, 4), (5, 7), (8, 12), (0, 0)])
    found = compare_tokens(TEXTS, tokens(), other)
    assert (found.texts, found.different) == (3, 1)
    assert (found.text, found.position, found.characters) == (TEXTS[1], 1, "Café")
    assert (found.tokens, found.ids) == (("cafe", "Ca"), (IDS["cafe"], 90))
    assert (found.lengths, found.truncated) == ((5, 6), None)


def test_characters_are_known_if_one_side_gives_offsets():
    other = tokens([*TOKENS[:2], ["[CLS]", "many", "money", "words", "[SEP]"]], None)
    assert compare_tokens(TEXTS, tokens(), other).characters == "many"
    assert compare_tokens(TEXTS, other, tokens()).tokens == ("money", "many")
    assert compare_tokens(TEXTS, tokens(offsets=None), other).characters is None


@pytest.mark.parametrize("swapped", [False, True])
def test_a_side_that_has_only_the_beginning(swapped):
    cut = replaced(2, ["[CLS]", "many", "[SEP]"], [(0, 0), (0, 4), (0, 0)])
    sides = (tokens(), cut)
    found = compare_tokens(TEXTS, *(reversed(sides) if swapped else sides))
    assert found.truncated == ("a" if swapped else "b")
    assert (found.position, found.characters) == (2, "many")
    assert found.lengths == ((3, 5) if swapped else (5, 3))


def test_special_tokens_that_are_missing_are_no_truncation():
    bare = replaced(0, ["one", "two"], [(0, 3), (4, 7)])
    found = compare_tokens(TEXTS, tokens(), bare)
    assert (found.position, found.truncated) == (0, None)
    assert (found.tokens, found.characters) == (("[CLS]", "one"), "one")


def test_a_row_that_only_goes_on():
    longer = replaced(0, [*TOKENS[0], "[SEP]"], [*OFFSETS[0], (0, 0)])
    found = compare_tokens(TEXTS, tokens(), longer)
    assert (found.position, found.tokens, found.ids) == (4, (None, "[SEP]"), (None, IDS["[SEP]"]))
    assert found.characters is None


def test_offsets_decide_nothing():
    shifted = replaced(0, TOKENS[0], [(0, 0), (1, 3), (4, 7), (0, 0)])
    found = compare_tokens(TEXTS, tokens(), shifted)
    assert (found.different, found.offsets) == (0, 1)
