"""`BertConfig`: what it accepts, and the words it refuses with."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.config import ACTIVATIONS, BertConfig, unknown_name
from npbert.errors import ConfigError

SIZES: dict[str, Any] = {
    "vocabulary_size": 11,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 12,
    "intermediate_dim": 13,
}
INTEGERS = [*SIZES, "max_sequence_length", "num_segments"]


def test_defaults_are_those_of_keras_hub():
    assert BertConfig(**SIZES).to_dict() == SIZES | {
        "dropout": 0.1,
        "max_sequence_length": 512,
        "num_segments": 2,
        "activation": "gelu_approximate",
        "layer_norm_epsilon": 1e-12,
    }


def test_head_dim():
    assert BertConfig(**SIZES).head_dim == 4


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BertConfig(**SIZES).hidden_dim = 24  # type: ignore[misc]


def test_equal_configs_are_equal_and_hash_alike():
    assert BertConfig(**SIZES) == BertConfig(**SIZES)
    assert len({BertConfig(**SIZES), BertConfig(**SIZES)}) == 1


def test_no_layers_is_a_model():
    assert BertConfig(**SIZES | {"num_layers": 0}).num_layers == 0


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", ["12", 12.0, True, None, -1, 10**9, np.float32(12), [12]])
def test_a_size_that_is_no_int_in_range(name: str, value: object):
    with pytest.raises(ConfigError, match=rf"^{name} must be an int in \[[01], \d+\]\.") as error:
        BertConfig(**SIZES | {name: value})
    assert error.value.received == f"{value!r} ({type(value).__name__})"


@pytest.mark.parametrize("name", [name for name in INTEGERS if name != "num_layers"])
def test_a_size_of_zero(name: str):
    with pytest.raises(ConfigError, match=rf"{name} must be an int in \[1, "):
        BertConfig(**SIZES | {name: 0})


def test_no_max_sequence_length_has_its_own_fix():
    with pytest.raises(ConfigError, match="Keras Hub documents None but fails on it"):
        BertConfig(**SIZES, max_sequence_length=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-0.1, 1.5, "0.1", None, True, float("nan")])
def test_dropout(value: object):
    with pytest.raises(ConfigError, match=r"dropout must be a number in \[0, 1\]"):
        BertConfig(**SIZES | {"dropout": value})


@pytest.mark.parametrize("value", [0, -1e-12, 2.0, "1e-12", float("nan"), float("inf")])
def test_layer_norm_epsilon(value: object):
    with pytest.raises(ConfigError, match=r"layer_norm_epsilon must be a number in \[1e-38, 1\]"):
        BertConfig(**SIZES | {"layer_norm_epsilon": value})


@pytest.mark.parametrize("value", ["relu", "GELU", "", None, 3])
def test_activation(value: object):
    with pytest.raises(ConfigError) as error:
        BertConfig(**SIZES | {"activation": value})
    assert str(error.value) == (
        "activation is not one that BERT uses.\n"
        f"  received: {value!r}\n"
        "  expected: 'gelu_approximate' or 'gelu'\n"
        "  fix:      'gelu_approximate' is Keras Hub's (tanh), 'gelu' Hugging Face's (erf)"
    )


def test_heads_that_do_not_divide():
    with pytest.raises(ConfigError, match=r"not divisible(.|\n)*hidden_dim=12, num_heads=5"):
        BertConfig(**SIZES | {"num_heads": 5})


@given(
    heads=st.integers(1, 64),
    head_dim=st.integers(1, 64),
    layers=st.integers(0, 100),
    dropout=st.floats(0, 1),
    activation=st.sampled_from(ACTIVATIONS),
)
def test_a_valid_config_survives_its_dictionary(heads, head_dim, layers, dropout, activation):  # type: ignore[no-untyped-def]
    config = BertConfig(
        vocabulary_size=11,
        num_layers=layers,
        num_heads=heads,
        hidden_dim=heads * head_dim,
        intermediate_dim=13,
        dropout=dropout,
        activation=activation,
    )
    assert BertConfig.from_dict(config.to_dict()) == config
    assert config.head_dim == head_dim


def test_from_dict_names_what_is_missing():
    with pytest.raises(ConfigError) as error:
        BertConfig.from_dict({"num_layers": 2, "num_heads": 3, "hidden_dim": 12}, where="a.json")
    assert error.value.what == "the config lacks vocabulary_size, intermediate_dim."
    assert error.value.where == "a.json"


def test_from_dict_names_what_is_unknown():
    with pytest.raises(ConfigError) as error:
        BertConfig.from_dict(SIZES | {"hiden_dim": 12}, where="a.json")
    assert error.value.what == "unknown BertConfig field 'hiden_dim'."
    assert error.value.fix == "did you mean 'hidden_dim'?"
    assert error.value.where == "a.json"


def test_from_dict_adds_where_to_a_bad_field():
    with pytest.raises(
        ConfigError, match=r"num_heads must be(.|\n)*where:    a.json\n  received: 0"
    ):
        BertConfig.from_dict(SIZES | {"num_heads": 0}, where="a.json")
    with pytest.raises(ConfigError) as error:
        BertConfig.from_dict(SIZES | {"num_heads": 0})
    assert error.value.where is None


def test_an_unknown_name_with_nothing_near():
    error = unknown_name("argument", "zzz", ["alpha", "beta"])
    assert str(error) == ("unknown argument 'zzz'.\n  expected: alpha, beta\n  fix:      remove it")
