"""The texts of the text job."""

from __future__ import annotations

import sys

import pytest

from npbert.bench import texts
from npbert.errors import DependencyError


def test_the_same_texts_every_time():
    made = texts.make(60, 3)
    assert len(made) == len(set(made)) == 60
    assert made == texts.make(60, 3) != texts.make(60, 4)
    assert texts.sha256(made) != texts.sha256(made[::-1])


def test_they_are_of_many_languages_and_one_paragraph_each():
    made = texts.make(texts.COUNT, 2026)
    assert len(made) == 1000
    assert not any("\n" in text for text in made)
    assert sum(not text.isascii() for text in made) > 50
    assert min(len(text.split()) for text in made) >= 4


def test_without_babel(monkeypatch):
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(DependencyError, match=r"npbert\[bench\]"):
        texts.import_babel()
