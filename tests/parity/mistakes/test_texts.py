"""What is done to texts, and to their ids."""

from __future__ import annotations

import pytest

from npbert.parity.mistakes.texts import CHANGES, FIXES, PROMPTS, relation

BY_KEY = {change.key: change for change in CHANGES}
ROWS = [[101, 7, 8, 102], [101, 9, 102], [101, 5, 6, 7, 8, 9, 102]]


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("lower_case", "The Mill", "the mill"),
        ("lower_case", "A [SEP] Bank, [MASK]", "a [SEP] bank, [MASK]"),
        ("accents", "café Ä", "cafe A"),
        ("lower_case_and_accents", "Café", "cafe"),
        ("cjk", "a東京b", "a 東  京 b"),
        ("punctuation", "don't—stop", "don ' t — stop"),
        ("control_characters", "a\u200bb\x07c", "abc"),
        ("white_space", " a\t\u00a0b ", "a b"),
        ("unicode_form", "e\u0301", "é"),
        ("compatible_forms", "ﬁ①", "fi1"),
        ("special_tokens_in_text", "a [MASK]", "a [ MASK ]"),
    ],
)
def test_changes(key, text, expected):
    assert BY_KEY[key].change(text) == expected


def test_every_change_has_a_fix():
    assert {change.key for change in (*CHANGES, *PROMPTS)} <= set(FIXES)
    assert all(change.does and change.fix for change in (*CHANGES, *PROMPTS))
    assert PROMPTS[0].change("mill") == "query: mill"


@pytest.mark.parametrize(
    ("change", "key", "says"),
    [
        (lambda r: r[1:-1], "special_tokens_missing", "adds neither [CLS] nor [SEP]"),
        (lambda r: r[1:], "special_tokens_missing", "does not add [CLS]"),
        (lambda r: [*r, r[-1]], "special_tokens_missing", "adds [SEP] twice"),
        (lambda r: [r[0], 3, 4, *r[1:]], "prompt", "puts 2 more tokens before each text"),
        (lambda r: [*r[:3], r[-1]] if len(r) > 4 else r, "max_length", "cuts texts at 4 tokens"),
        (lambda r: r[:5], "max_length", "cuts texts at 5 tokens, where 7 are kept"),
        (
            lambda r: [r[0], *r[-4:]] if len(r) > 5 else r,
            "max_length",
            "keeps the last 5 tokens of a text",
        ),
    ],
)
def test_relations(change, key, says):
    found = relation(ROWS, [change(row) for row in ROWS])
    assert found.key == key
    assert found.says.startswith(says)
    assert key in FIXES


def test_a_prompt_is_one_though_the_longest_texts_are_cut():
    prompted = [[row[0], 3, *row[1:]] for row in ROWS]
    prompted[2] = [*prompted[2][:6], 102]
    assert relation(ROWS, prompted).key == "prompt"


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r[::-1],
        lambda r: [r[0], r[1], *r[1:]],  # other tokens each time: no prompt
        lambda r: [x + 1 for x in r],
        lambda r: r[: max(len(r) - 1, 1)] if len(r) > 3 else r,
    ],
)
def test_what_is_no_known_relation(change):
    assert relation(ROWS, [change(row) for row in ROWS]) is None
