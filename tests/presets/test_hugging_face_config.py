"""Hugging Face's config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ConfigError, UnsupportedModelError
from npbert.presets.hugging_face_config import hugging_face_fields

WHERE = Path("config.json")
RAW = {
    "model_type": "bert",
    "vocab_size": 29,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "hidden_size": 6,
    "intermediate_size": 10,
    "max_position_embeddings": 11,
}
FIELDS = {
    "vocabulary_size": 29,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 6,
    "intermediate_dim": 10,
    "max_sequence_length": 11,
    "num_segments": 2,
    "dropout": 0.1,
    "layer_norm_epsilon": 1e-12,
    "activation": "gelu",
}


def _fields(**changed: Any) -> dict[str, Any]:
    return hugging_face_fields(RAW | changed, WHERE)[0]


def test_defaults_are_those_of_transformers():
    assert hugging_face_fields(RAW, WHERE) == (FIELDS, None)


def test_every_field_is_read():
    changed = _fields(
        type_vocab_size=4, attention_probs_dropout_prob=0.0, layer_norm_eps=1e-5, hidden_act="gelu"
    )
    expected = {"num_segments": 4, "dropout": 0.0, "layer_norm_epsilon": 1e-5}
    assert changed == FIELDS | expected


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("gelu", "gelu"),
        ("gelu_python", "gelu"),
        ("gelu_new", "gelu_approximate"),
        ("gelu_pytorch_tanh", "gelu_approximate"),
        ("gelu_python_tanh", "gelu_approximate"),
        ("gelu_fast", "gelu_approximate"),
        ("gelu_accurate", "gelu_approximate"),
    ],
)
def test_activations(name: str, activation: str):
    assert _fields(hidden_act=name)["activation"] == activation


@pytest.mark.parametrize("name", ["relu", "quick_gelu", "gelu_10", None, ["gelu"]])
def test_another_activation(name: object):
    with pytest.raises(UnsupportedModelError, match=r"hidden_act is not one that npbert computes"):
        _fields(hidden_act=name)


@pytest.mark.parametrize(("key", "value"), [("dtype", "float16"), ("torch_dtype", "bfloat16")])
def test_the_saved_dtype(key: str, value: str):
    assert hugging_face_fields(RAW | {key: value}, WHERE)[1] == value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "roberta"),
        ("model_type", "distilbert"),
        ("model_type", "albert"),
        ("model_type", "modernbert"),
        ("model_type", None),
        ("position_embedding_type", "relative_key_query"),
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("quantization_config", {"load_in_8bit": True}),
    ],
)
def test_what_is_not_this_encoder(key: str, value: object):
    with pytest.raises(UnsupportedModelError) as error:
        _fields(**{key: value})
    assert error.value.what == f"{key} {value!r} is not supported."
    assert error.value.where == WHERE


def test_missing_keys_are_named_as_in_the_file():
    raw = {key: RAW[key] for key in RAW if key not in ("hidden_size", "vocab_size")}
    with pytest.raises(ConfigError, match="the config lacks vocab_size, hidden_size"):
        hugging_face_fields(raw, WHERE)
