"""Other tokens, and why."""

from __future__ import annotations

import dataclasses

import pytest
from parity import text_side
from parity.text_side import TEXTS, TextSide

from npbert.parity.token_search import explain_tokens

WEIGHTS = text_side.weights()
RIGHT = TextSide(WEIGHTS)


def explained(**wrong):
    return explain_tokens(TEXTS, RIGHT, TextSide(WEIGHTS, **wrong))


@pytest.mark.parametrize(
    ("wrong", "causes"),
    [
        ({"lowercase": False}, ["lower_case"]),
        ({"split_on_cjk": False}, ["cjk"]),
        ({"lowercase": False, "split_on_cjk": False}, ["lower_case", "cjk"]),
        ({"strip_accents": False, "limit": 7}, ["accents", "max_length"]),
        ({"special": False, "lowercase": False}, ["lower_case", "special_tokens_missing"]),
        ({"prompt": "query:"}, ["prompt"]),
    ],
)
def test_causes(wrong, causes):
    found = explained(**wrong)
    assert [each.cause for each in found] == causes
    assert found[-1].after == 0
    assert all(each.says.startswith("b ") and each.before > 0 and each.fix for each in found)


def test_the_other_way_round():
    [found] = explain_tokens(TEXTS, TextSide(WEIGHTS, lowercase=False), RIGHT)
    assert found.says == "a does not lower-case texts, and b does"


def test_another_vocabulary():
    class Renumbered(TextSide):
        def tokenize(self, texts):
            tokens = super().tokenize(texts)
            return dataclasses.replace(tokens, ids=[[i + 1 for i in row] for row in tokens.ids])

    [found] = explain_tokens(TEXTS, RIGHT, Renumbered(WEIGHTS))
    assert (found.cause, found.after) == ("vocabulary", 0)


def test_part_of_it_is_better_than_nothing():
    class Odd(TextSide):
        def tokenize(self, texts):
            tokens = super().tokenize(texts)
            ids = [row[::-1] if len(row) > 11 else row for row in tokens.ids]
            return dataclasses.replace(tokens, ids=ids)

    [found] = explain_tokens(TEXTS, RIGHT, Odd(WEIGHTS, lowercase=False))
    assert (found.cause, found.after) == ("lower_case", 1)
    assert explain_tokens(TEXTS, RIGHT, Odd(WEIGHTS)) == []


def test_a_side_without_tokens_or_a_record():
    assert explained(shows=("text.vector",)) == []
    assert explained(lowercase=False, recorded={}) == []
