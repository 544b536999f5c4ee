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


def _quantised(mode: str, kind: str = "QuantizedDTypePolicy", **more: Any) -> dict[str, Any]:
    config = {"mode": mode, "source_name": None} | more
    return {"module": "keras.dtype_policies", "class_name": kind, "config": config}


def _map(policies: dict[str, Any], default: object = None) -> dict[str, Any]:
    config = {"default_policy": default, "policy_map": policies}
    return {"module": "keras.dtype_policies", "class_name": "DTypePolicyMap", "config": config}


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        ("int8_from_bfloat16", "int8"),
        (_quantised("int8"), "int8"),
        (_map({"token_embedding": _quantised("int8"), "pooled_dense": _policy(None)}), "int8"),
        (_map({"token_embedding": _policy(None)}, _policy("float16")), "float16"),
        (_map({}, _quantised("int8", source_name="float32")), "int8"),
        (_map({}), "float32"),
        (_policy(None), "float32"),
    ],
)
def test_int8_and_maps_of_policies(dtype: object, name: str):
    assert keras_fields(_raw(dtype=dtype), WHERE) == (SIZES, name)


@pytest.mark.parametrize(
    ("policy", "mode", "reason"),
    [
        (_quantised("int4/128", "Int4DTypePolicy"), "int4", "packed two to a byte"),
        (
            _quantised("float8", "QuantizedFloat8DTypePolicy", amax_history_length=1024),
            "float8",
            "meant for arithmetic in float8",
        ),
        (_quantised("gptq/4/128", "GPTQDTypePolicy"), "gptq", "packed, in groups"),
        (_quantised("awq/4/128", "AWQDTypePolicy"), "awq", "packed, in groups"),
        ("int4/-1_from_float32", "int4", "packed two to a byte"),
    ],
)
def test_other_quantisations_are_refused_with_the_reason(policy: Any, mode: str, reason: str):
    for dtype in (policy, _map({"pooled_dense": policy}), _map({}, policy)):
        with pytest.raises(UnsupportedModelError) as error:
            keras_fields(_raw(dtype=dtype), WHERE)
        assert error.value.what.startswith(f"{mode} weights are not read: its numbers are {reason}")
        assert str(error.value.received).startswith(f"'{mode}")


def test_the_layer_is_named():
    policies = {"token_embedding": _quantised("int8"), "pooled_dense": _quantised("float8")}
    message = r"float8 weights are not read(.|\n)*config.json: dtype of pooled_dense"
    with pytest.raises(UnsupportedModelError, match=message):
        keras_fields(_raw(dtype=_map(policies)), WHERE)


@pytest.mark.parametrize(
    "dtype",
    ["int2_from_float32", "foo", 5, ["float32"], {}, {"class_name": "X"}, _policy(["float32"])],
)
def test_a_dtype_that_keras_does_not_have(dtype: object):
    message = r"dtype is not one that npbert knows(.|\n)*expected: float32, .*, or int8"
    with pytest.raises(UnsupportedModelError, match=message):
        keras_fields(_raw(dtype=dtype), WHERE)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("keras_hub>RobertaBackbone", "a RobertaBackbone"),
        ("keras_hub>AlbertBackbone", "a AlbertBackbone"),
        ("keras_hub>DistilBertBackbone", "a DistilBertBackbone"),
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
