"""Layers of Keras Hub watched; `live.test_parity_sources` runs real ones."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from goldens import GOLDEN
from parity.sources.fakes import CONFIG, library, missing

from npbert.errors import DependencyError, InputError, ModelFileError
from npbert.parity.sources import open_source
from npbert.parity.sources.base import NAMES
from npbert.parity.sources.of_keras import KerasSource

IDS = np.int32([[1, 2, 3], [4, 5, 0]])
INPUTS = {"token_ids": IDS, "segment_ids": 0 * IDS, "padding_mask": IDS}


@pytest.fixture(autouse=True)
def keras(monkeypatch):
    backend = SimpleNamespace(backend=lambda: "jax")
    fake = library("keras", backend=backend, ops=SimpleNamespace(convert_to_numpy=np.asarray))
    monkeypatch.setitem(sys.modules, "keras", fake)


def layer(plus):
    return SimpleNamespace(call=lambda x, **_: x + plus)


class Backbone:
    """Calls its layers one after another, each of which adds something of its own."""

    dtype_policy = SimpleNamespace(name="float32")

    def __init__(self, dropout=0.1):
        self.dropout = dropout
        self.token_embedding, self.position_embedding = layer(1), layer(2)
        self.segment_embedding, self.embeddings_add = layer(3), layer(4)
        self.embeddings_layer_norm = layer(5)
        names = ("query_dense", "key_dense", "value_dense", "_softmax", "output_dense")
        attention = SimpleNamespace(**{name: layer(10 * i) for i, name in enumerate(names, 1)})
        dense = SimpleNamespace(activation=lambda x: x * 2)
        self.transformer_layers = [
            SimpleNamespace(
                _self_attention_layer=attention,
                _self_attention_layer_norm=layer(60),
                _feedforward_intermediate_dense=dense,
                _feedforward_output_dense=layer(70),
                _feedforward_layer_norm=layer(80),
            )
        ]

    def get_config(self):
        fields = {name: getattr(CONFIG, name) for name in CONFIG.to_dict()}
        return {**fields, "dropout": self.dropout, "name": "x", "activation": "not of Keras"}

    def __call__(self, inputs):
        x = inputs["token_ids"].astype(np.float32)
        if x.max() > 100:
            raise ValueError("out of range")
        (each,) = self.transformer_layers
        attention = each._self_attention_layer
        self.embeddings_layer_norm.call(x)
        attention.query_dense.call(x)
        if self.dropout:
            attention._softmax.call(x, mask=None)
        attention.output_dense.call(x)
        each._feedforward_intermediate_dense.activation(x)
        return {"sequence_output": x, "pooled_output": x[:, 0]}


def test_stages_are_what_layers_receive_and_return():
    source = KerasSource(Backbone())
    stages = source.run(INPUTS)
    assert {name: float(array.ravel()[0]) for name, array in stages.items()} == {
        "embeddings.layer_norm": 6,
        "layer.0.query": 11,
        "layer.0.scores": 1,
        "layer.0.probs": 41,
        "layer.0.context": 1,
        "layer.0.attention_output": 51,
        "layer.0.intermediate": 1,
        "layer.0.activation": 2,
        "sequence_output": 1,
        "pooled_output": 1,
    }
    assert source.config is not None
    assert source.config.activation == "gelu_approximate"
    assert source.environment["backend"] == "jax"
    assert source.environment["dtype"] == "float32"
    assert source.notes == []
    assert source.tokenize(["a"]) is source.encode(["a"]) is None


def test_fused_attention_is_told():
    source = KerasSource(Backbone(dropout=0), name="keras:x")
    assert "layer.0.probs" not in source.run(INPUTS)
    assert "keras:x has dropout 0" in source.notes[0]


def test_inputs_that_it_refuses():
    with pytest.raises(InputError, match=r"Keras Hub cannot run[^$]*ValueError: out of range"):
        KerasSource(Backbone()).run({**INPUTS, "token_ids": IDS + 100})


def test_tokens_and_vectors():
    def preprocessor(texts):
        rows = np.zeros((len(texts), 6), np.int32)
        for row, text in zip(rows, texts):
            row[: len(text)] = range(5, 5 + len(text))
        return dict(zip(NAMES, (rows, rows * 0, rows != 0)))

    tokenizer = SimpleNamespace(id_to_token=lambda id: f"t{id}")
    preprocessor.tokenizer = tokenizer
    embedder = type("Embedder", (), {"preprocessor": staticmethod(preprocessor)})
    embedder.__call__ = lambda self, inputs: inputs["token_ids"][:, :2] * 1.5
    source = KerasSource(Backbone(), preprocessor, embedder())
    tokens = source.tokenize(["ab", "abcd"])
    assert tokens is not None
    assert (tokens.ids, tokens.tokens[0]) == ([[5, 6], [5, 6, 7, 8]], ["t5", "t6"])
    assert tokens.segment_ids == [[0, 0], [0, 0, 0, 0]]
    assert tokens.offsets is None
    found = source.encode(["ab"] * 20)
    assert found is not None
    assert found["text.vector"].shape == (20, 2)


def test_missing_libraries(monkeypatch):
    missing(monkeypatch, "keras_hub")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(DependencyError, match="pip install keras-hub jax"):
        open_source(f"keras:{GOLDEN}")


def test_what_keras_hub_cannot_load(monkeypatch):
    def fails(*_, **__):
        raise KeyError("no such preset")

    models = SimpleNamespace(BertBackbone=SimpleNamespace(from_preset=fails))
    monkeypatch.setitem(sys.modules, "keras_hub", library("keras_hub", models=models))
    with pytest.raises(ModelFileError, match=r"Keras Hub cannot load[^$]*no such preset"):
        open_source("keras:some_preset")
