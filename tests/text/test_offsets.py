"""Every token's characters in the text as it came."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.text.folding import fold_case, strip_accents

from .keras_tokens import UNK, VOCABULARY, tokenizer


def spans(text: str, **settings: object) -> list[tuple[str, str]]:
    found = tokenizer(**settings).tokens(text)
    return [(t.token, text[t.start : t.end]) for t in found if not t.special]


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("the  fox.", {}, [("the", "the"), ("fox", "fox"), (".", ".")]),
        ("foxes", {}, [("fox", "fox"), ("##es", "es")]),
        ("FOXES", {"lowercase": True}, [("fox", "FOX"), ("##es", "ES")]),
        ("straße", {"lowercase": True}, [("strasse", "straße")]),
        ("fo\u00adx", {"lowercase": True}, [("[UNK]", "fo"), ("[UNK]", "x")]),
        ("fo\ufe0fx", {"lowercase": True}, [("fox", "fo\ufe0fx")]),
        ("fóxès", {"strip_accents": True}, [("fox", "fóx"), ("##es", "ès")]),
        (
            "fo\u0301xe\u0300s",
            {"strip_accents": True},
            [("fox", "fo\u0301x"), ("##es", "e\u0300s")],
        ),
        ("e\u0301", {"lowercase": True}, [("é", "e\u0301")]),
        ("e\u0301s", {"lowercase": True}, [("é", "e\u0301s"), ("##s", "e\u0301s")]),
        ("és", {"lowercase": True}, [("é", "é"), ("##s", "s")]),
        ("a\u0301b", {}, [("[UNK]", "a\u0301b")]),
        (
            "x[MASK]y",
            {"special_tokens_in_strings": True, "lowercase": True},
            [("[UNK]", "x"), ("[MASK]", "[MASK]"), ("[UNK]", "y")],
        ),
        ("the fox", {"split": False}, [("[UNK]", "the fox")]),
        ("", {"split": False}, []),
        ("\ufe0f", {"lowercase": True}, []),
    ],
)
def test_tokens_and_their_characters(
    text: str, settings: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert spans(text, **settings) == expected


texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("thequickfoxesÉé\u0301ß漢 .,\ufe0fİ\u302e\u1100\u1161"),
    )
)


@given(texts, st.booleans(), st.booleans(), st.booleans())
def test_places_are_in_order_and_say_what_the_token_is(
    text: str, lowercase: bool, strip: bool, split: bool
) -> None:
    found = tokenizer(lowercase=lowercase, strip_accents=strip, split=split).tokens(text)[1:-1]
    assert [t.start for t in found] == sorted(t.start for t in found)
    for token in found:
        assert 0 <= token.start < token.end <= len(text)
        assert token.token == VOCABULARY[token.id]
        if token.id != UNK and not lowercase and not strip:
            assert text[token.start : token.end] == token.token.removeprefix("##")
        elif token.id != UNK:
            part = text[token.start : token.end]
            part = fold_case(strip_accents(part) if strip else part)
            plain = unicodedata.normalize("NFKC", token.token.removeprefix("##"))
            assert plain.casefold() in part


@given(texts, st.booleans(), st.booleans(), st.booleans())
def test_the_ids_are_those_of_a_call(text: str, lowercase: bool, strip: bool, split: bool) -> None:
    ours = tokenizer(lowercase=lowercase, strip_accents=strip, split=split)
    found = [token.id for token in ours.tokens(text)]
    assert found[1:-1] == ours(text).tolist()
    assert found == ours.encode([text], 10**6).ids[0].tolist()
