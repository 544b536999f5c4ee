"""Keras Hub's config.json, as it was written over the years."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ConfigError, UnsupportedModelError
from npbert.presets.keras_config import keras_fields

WHERE = Path("config.json")
SIZES = {
    "vocabulary_size": 29,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 6,
    "intermediate_dim": 10,
}


def _raw(**config: Any) -> dict[str, Any]:
    return {"registered_name": "keras_hub>BertBackbone", "config": SIZES | config}


def _policy(name: object, kind: str = "DTypePolicy") -> dict[str, Any]:
    return {"module": "keras", "class_name": kind, "config": {"name": name}}


def test_the_fields_and_nothing_else():
    raw = _raw(name="bert_backbone", trainable=True, dtype=_policy("float32"), dropout=0.2)
    assert keras_fields(raw, WHERE) == (SIZES | {"dropout": 0.2}, "float32")


def test_keras_nlp():
    raw = _raw() | {
        "module": "keras_nlp.src.models.bert.bert_backbone",
        "registered_name": "keras_nlp>BertBackbone",
        "assets": ["tokenizer.json"],
        "weights": "model.weights.h5",
    }
    assert keras_fields(raw, WHERE) == (SIZES, "float32")


def test_module_and_class_are_not_looked_at():
    raw = _raw() | {"module": "os", "class_name": "system"}
    assert keras_fields(raw, WHERE) == (SIZES, "float32")


@pytest.mark.parametrize("name", ["float16", "bfloat16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("kind", ["DTypePolicy", "FloatDTypePolicy", None])
def test_float_policies(name: str, kind: str | None):
    saved = _policy(name, kind) if kind else name
    assert keras_fields(_raw(dtype=saved), WHERE) == (SIZES, name)


@pytest.mark.parametrize(
    ("dtype", "received"),
    [
        ({"class_name": "DTypePolicyMap", "config": {"policy_map": {}}}, "DTypePolicyMap"),
        (_policy("int8_from_float32", "QuantizedDTypePolicy"), "QuantizedDTypePolicy 'int8_from"),
        ("int8_from_float32", "DTypePolicy 'int8_from_float32'"),
        (_policy(["float32"]), r"DTypePolicy \['float32'\]"),
        (5, "5"),
    ],
)
def test_quantised(dtype: object, received: str):
    message = rf"dtype is not a float, as in a quantised model(.|\n)*received: {received}"
    with pytest.raises(UnsupportedModelError, match=message):
        keras_fields(_raw(dtype=dtype), WHERE)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("keras_hub>RobertaBackbone", "a RobertaBackbone"),
        ("keras_nlp>GPT2Backbone", "a GPT2Backbone"),
        ("builtins>exec", "a exec"),
        (None, "a None"),
    ],
)
def test_another_architecture(name: object, shown: str):
    message = rf"the preset holds {shown}, not a BertBackbone(.|\n)*registered_name {name!r}"
    with pytest.raises(UnsupportedModelError, match=message):
        keras_fields(_raw() | {"registered_name": name}, WHERE)


@pytest.mark.parametrize("config", [None, [], "bert"])
def test_no_config(config: object):
    with pytest.raises(ConfigError, match="the file has no 'config' object"):
        keras_fields(_raw() | {"config": config}, WHERE)
