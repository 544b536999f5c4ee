"""A SentenceTransformer's vectors; `live.test_parity_sources` runs a real one."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from goldens import GOLDEN
from parity.sources.fakes import Model, Tensor, Words, library, missing

from npbert.errors import DependencyError, UnsupportedModelError
from npbert.parity.sources import open_source
from npbert.parity.sources.of_sentence_transformers import SentenceTransformersSource


class Pooling:
    """Tells its hook what it pooled."""

    hook = None

    def register_forward_hook(self, hook):
        self.hook = hook
        return SimpleNamespace(remove=lambda: setattr(self, "hook", None))


class Sentences(list):
    """As a SentenceTransformer, it is a list of its modules."""

    tokenizer, max_seq_length = Words(), 4

    def encode(self, text, show_progress_bar):
        pooled = np.float32([[len(text), 1]])
        if self[1:] and self[1].hook:
            self[1].hook(self[1], (), {"sentence_embedding": Tensor(pooled)})
        return pooled[0] * 10


@pytest.fixture
def transformer():
    return SimpleNamespace(auto_model=Model({"weight": Tensor(np.ones(1))}))


def test_vectors_before_and_after_the_last_modules(transformer):
    model = Sentences([transformer, Pooling()])
    source = SentenceTransformersSource(model, "st:here")
    found = source.encode(["a", "abc"])
    assert found is not None
    np.testing.assert_array_equal(found["text.pooling"], [[1, 1], [3, 1]])
    np.testing.assert_array_equal(found["text.vector"], [[10, 10], [30, 10]])
    assert model[1].hook is None
    assert source.encode([]) is None
    tokens = source.tokenize(["abcdefg"])
    assert tokens is not None
    assert tokens.ids == [[0, 1, 2, 3]]
    assert source.kind == "st"


def test_without_a_pooling_module(transformer):
    found = SentenceTransformersSource(Sentences([transformer])).encode(["a"])
    assert found is not None
    assert list(found) == ["text.vector"]


def test_no_transformer():
    with pytest.raises(UnsupportedModelError, match=r"not begin with a transformer[^$]*Pooling"):
        SentenceTransformersSource(Sentences([Pooling()]))


def test_missing_library(monkeypatch):
    missing(monkeypatch, "sentence_transformers")
    with pytest.raises(DependencyError, match="pip install sentence-transformers"):
        open_source(f"st:{GOLDEN}")
    monkeypatch.setitem(sys.modules, "sentence_transformers", library("sentence_transformers"))
    missing(monkeypatch, "transformers")
    with pytest.raises(DependencyError, match="pip install transformers"):
        open_source(f"st:{GOLDEN}")
