"""What a module of transformers says of itself; `live.test_parity_sources` runs real ones."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from goldens import GOLDEN
from parity.sources.fakes import CONFIG, FIELDS, Model, Tensor, Words, library, missing

from npbert.errors import ConfigError, DependencyError, UnsupportedModelError
from npbert.parity.sources import open_source
from npbert.parity.sources.of_torch import TorchSource, torch_dtype
from npbert.weights.names import tensors


def state():
    random = np.random.default_rng(2)
    shapes = {t.hugging_face: t.hugging_face_shape for t in tensors(CONFIG)}
    return {name: Tensor(np.float32(random.random(shape))) for name, shape in shapes.items()}


def test_config_and_environment():
    source = TorchSource(Model(state()), name="torch:here")
    assert source.config == CONFIG
    assert (source.environment["dtype"], source.environment["attention"]) == ("float32", "eager")
    assert source.notes == [
        "torch:here runs attention as 'eager', which shows scores and probabilities"
    ]
    assert source.tokenize(["a"]) is source.encode(["a"]) is source.recorded is None


def test_the_encoder_of_a_model_with_a_head():
    inner = Model(state())
    outer = library("outer", base_model=inner)
    assert TorchSource(outer).model is inner


def test_weights_under_the_names_of_keras():
    held = state()
    weights = TorchSource(Model(held)).weights()
    assert weights is not None
    assert weights.keys() == {tensor.name for tensor in tensors(CONFIG)}
    query = weights["transformer_layer_0/self_attention_layer/query/kernel"]
    stored = held["encoder.layer.0.attention.self.query.weight"].array
    np.testing.assert_array_equal(query, stored.T.reshape(6, 2, 3))


def test_tensors_that_are_missing_or_of_another_shape():
    held = state()
    del held["pooler.dense.bias"]
    held["embeddings.token_type_embeddings.weight"] = Tensor(np.ones((4, 6)))
    weights = TorchSource(Model(held)).weights()
    assert weights is not None
    assert "pooled_dense/bias" not in weights
    assert weights["segment_embedding/embeddings"].shape == (4, 6)


def test_a_model_that_npbert_could_not_run_has_no_config():
    source = TorchSource(Model(state(), hidden_act="quick_gelu"), name="it")
    assert source.config is source.weights() is None
    assert "it is no model that npbert could run: hidden_act" in source.notes[0]


def test_no_bert():
    model = Model(state())
    model.get_submodule = lambda path: getattr(object(), path)
    with pytest.raises(UnsupportedModelError, match=r"no BertModel[^$]*received: Model"):
        TorchSource(model)


@pytest.mark.parametrize(("said", "limit"), [(None, FIELDS["max_position_embeddings"]), (4, 4)])
def test_tokens(said, limit):
    words = Words()
    tokens = TorchSource(Model(state()), words, max_length=said).tokenize(["ab", "abcdefg"])
    assert tokens is not None
    assert tokens.ids == [[0, 1], list(range(limit))]
    assert tokens.tokens[0] == ["t0", "t1"]
    assert tokens.offsets is not None
    assert tokens.offsets[0] == [(0, 1), (1, 2)]
    assert tokens.segment_ids == [[0, 0], [0] * limit]
    assert words.asked["truncation"] is True


def test_missing_libraries(monkeypatch):
    missing(monkeypatch, "torch")
    with pytest.raises(DependencyError, match="pip install torch"):
        open_source(f"torch:{GOLDEN}")
    monkeypatch.setitem(sys.modules, "torch", library("torch", float16="half"))
    missing(monkeypatch, "transformers")
    with pytest.raises(DependencyError, match="pip install transformers"):
        open_source(f"torch:{GOLDEN}")
    assert torch_dtype("float16", "x") == "half"
    with pytest.raises(ConfigError, match=r"unknown dtype 'flaot16'[^$]*did you mean 'float16'"):
        torch_dtype("flaot16", "x")
