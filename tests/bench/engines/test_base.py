"""What every engine does with batches and texts."""

from __future__ import annotations

import numpy as np
import pytest
from bench.engines.fakes import batch, hidden, setup

from npbert.bench import models, works
from npbert.bench.engines.base import Engine


class Shower(Engine):
    """Its hidden states are the ids."""

    def feed(self, batch):
        return batch.ids

    def call(self, feed):
        return hidden(feed) + np.arange(5, dtype=np.float32)


def test_batches_are_run_one_by_one():
    engine = Shower()
    outputs = engine.run(engine.prepare([batch(), batch()]))
    assert [output.shape for output in outputs] == [(2, 4, 5)] * 2


def test_texts_become_means_of_their_tokens_in_their_order(tmp_path):
    model = models.find("tiny", tmp_path)
    engine = Shower()
    engine.load_texts(setup(tmp_path)._replace(model=model))
    texts = ["abc", "a", "b c"]
    vectors = engine.encode(texts, 2)
    ids = [engine._tokenizer.encode(text).ids for text in texts]
    expected = np.array([np.mean(each) + np.arange(5) for each in ids])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


def test_long_texts_are_cut(tmp_path):
    engine = Shower()
    engine.load_texts(setup(tmp_path)._replace(model=models.find("tiny", tmp_path)))
    assert len(engine._tokenizer.encode("a" * 99 + " b" * 999).ids) == works.TEXT_LIMIT


def test_what_is_converted_is_kept_for_each_model(tmp_path):
    assert setup(tmp_path).kept == tmp_path / "model-converted"
    assert setup(tmp_path).kept.is_dir()


@pytest.mark.parametrize("name", ["load", "feed", "call"])
def test_an_engine_must_do_these(name):
    with pytest.raises(NotImplementedError):
        getattr(Engine(), name)(None)
