"""Accents and case: what Unicode says, in linear time."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.text import folding
from npbert.text.folding import accents_origins, fold_case, normalize, strip_accents

MARKS = "\u0301\u0316\u0327\u0345\u0344\u0f73\u302e\u3099\u093c\U0001d165"
texts = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("aé가がक़" + MARKS))
)


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("THE", "the"),
        ("straße", "strasse"),
        ("ẞ", "ss"),
        ("ＡＢ１", "ab1"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        ("ς", "σ"),
        ("e\u0301", "é"),
        ("É", "é"),
        ("ﬁ½㎏", "fi1⁄2kg"),
        ("İ", "i\u0307"),
        ("a\u00ad\u200bb\ufe0f", "ab"),
        ("\ufe0f", ""),
        ("ΐ", "ΐ"),
        ("\x00A", "\x00a"),
    ],
)
def test_fold_case(word: str, folded: str) -> None:
    assert fold_case(word) == folded


@pytest.mark.parametrize(
    ("text", "stripped"),
    [
        ("café Ünïcode", "cafe Unicode"),
        ("e\u0301\u0316x", "ex"),
        ("क़", "क"),
        ("각", "\u1100\u1161\u11a8"),
        ("\u302ea", "\u302ea"),  # a mark that takes room (Mc) stays
        ("straße", "straße"),
        ("ﬁ", "ﬁ"),
    ],
)
def test_strip_accents(text: str, stripped: str) -> None:
    assert strip_accents(text) == stripped


@given(texts)
def test_stripping_is_the_rule_of_unicode(text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)
    expected = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    assert strip_accents(text) == expected


@given(texts)
def test_every_character_that_is_left_has_its_origin(text: str) -> None:
    stripped, origins = strip_accents(text), accents_origins(text)
    assert len(origins) == len(stripped)
    assert origins == sorted(origins)
    for i in set(origins):
        assert strip_accents(text[i])


@given(texts, st.sampled_from(["NFD", "NFKC"]))
def test_sorting_runs_of_marks_first_changes_nothing(text: str, form: folding.Form) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "_LONG_RUN", 0)
        patch.setattr(folding, "_RUN", folding.re.compile("[^\x00-\u02ff]{2,}"))
        assert normalize(form, text) == unicodedata.normalize(form, text)


@pytest.mark.parametrize("text", ["a" + "\u0301\u0316" * 200_000, "\u0f73" * 300_000])
def test_a_letter_with_very_many_marks_takes_no_time(text: str) -> None:
    start = time.perf_counter()
    strip_accents(text)
    fold_case(text)
    assert time.perf_counter() - start < 10  # moving each mark in turn would take minutes
