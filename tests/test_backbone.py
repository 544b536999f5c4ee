"""`BertBackbone` as Keras Hub's class: arguments, config, weights, and the words of errors.

What it computes is tested against the goldens in ``test_golden_kernels.py``, its inputs in
``engine/test_inputs.py``, `predict` and `token_embedding` in ``test_backbone_calls.py``, presets in
``test_backbone_presets.py``, other dtypes than float32 in ``test_backbone_dtype.py``.
"""

from __future__ import annotations

import json

import goldens
import numpy as np
import pytest
from goldens import PRESETS

from npbert import BertBackbone
from npbert.config import BertConfig
from npbert.errors import ConfigError, InputTypeError
from npbert.weights import weight_shapes

SIZES = {
    "vocabulary_size": 23,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 12,
    "intermediate_dim": 17,
    "max_sequence_length": 10,
    "num_segments": 4,
}


def make(**changes):
    return BertBackbone(**(SIZES | changes))


# -- arguments -------------------------------------------------------------------------------------


def test_positional_arguments_are_in_kerass_order():
    model = BertBackbone(23, 2, 3, 12, 17, 0.25, 10, 4, "float32")
    assert model.config == BertConfig(**SIZES, dropout=0.25)


def test_defaults():
    model = BertBackbone(23, 2, 3, 12, 17)
    assert (model.dropout, model.max_sequence_length, model.num_segments) == (0.1, 512, 2)
    assert (model.activation, model.layer_norm_epsilon) == ("gelu_approximate", 1e-12)
    assert (model.name, model.trainable, model.cls_token_index) == ("bert_backbone", True, 0)


def test_config_fields_are_attributes():
    model = make(activation="gelu", layer_norm_epsilon=1e-7)
    for name, value in model.config.to_dict().items():
        assert getattr(model, name) == value
    with pytest.raises(AttributeError, match="'BertBackbone' object has no attribute 'heads'"):
        model.heads  # noqa: B018


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("num_layer", "num_layers"),
        ("hiden_dim", "hidden_dim"),
        ("max_seq_length", "max_sequence_length"),
        ("vocab_size", "vocabulary_size"),
        ("droput", "dropout"),
        ("num_thread", "num_threads"),
    ],
)
def test_an_unknown_argument_names_the_nearest(name, near):
    with pytest.raises(ConfigError, match=f"unknown argument '{name}'") as error:
        make(**{name: 2})
    assert error.value.fix == f"did you mean '{near}'?"
    assert error.value.where == "BertBackbone(...)"


def test_an_unknown_argument_like_no_other():
    with pytest.raises(ConfigError, match="unknown argument 'zzz'") as error:
        make(zzz=1)
    assert error.value.fix == "remove it"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vocabulary_size": 0}, r"vocabulary_size must be an int in \[1, "),
        ({"num_layers": -1}, r"num_layers must be an int in \[0, "),
        ({"num_heads": True}, "num_heads must be an int.*\n.*True \\(bool\\)"),
        ({"hidden_dim": "12"}, "hidden_dim must be an int.*\n.*'12' \\(str\\)"),
        ({"intermediate_dim": 17.0}, "intermediate_dim must be an int.*\n.*17.0 \\(float\\)"),
        ({"num_segments": None}, "num_segments must be an int.*\n.*None \\(NoneType\\)"),
        ({"max_sequence_length": 10**9}, "max_sequence_length must be an int"),
        ({"dropout": 1.5}, r"dropout must be a number in \[0, 1\]"),
        ({"dropout": float("nan")}, r"dropout must be a number in \[0, 1\]"),
        ({"dropout": None}, r"dropout must be a number in \[0, 1\]"),
        ({"layer_norm_epsilon": 0}, "layer_norm_epsilon must be a number"),
        ({"hidden_dim": 13}, "hidden_dim is not divisible by num_heads"),
        ({"activation": "relu"}, "activation is not one that BERT uses"),
        ({"num_threads": 0}, "the number of threads must be a whole number"),
        ({"num_threads": "two"}, "the number of threads must be a whole number"),
        ({"num_threads": 10**6}, "the number of threads must be a whole number"),
        ({"num_threads": float("nan")}, "the number of threads must be a whole number"),
    ],
)
def test_an_argument_out_of_range(changes, words):
    with pytest.raises(ConfigError, match=words):
        make(**changes)


def test_no_max_sequence_length_says_what_keras_does():
    with pytest.raises(ConfigError, match="max_sequence_length must be an int") as error:
        make(max_sequence_length=None)
    assert error.value.fix == (
        "Keras Hub documents None but fails on it; give the length, 512 for every preset"
    )


class _Policy:
    name = "float32"


@pytest.mark.parametrize(
    "dtype",
    [
        *(None, "float32", np.dtype("float32"), _Policy()),
        {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}},
    ],
)
def test_dtypes_that_are_float32(dtype):
    assert make(dtype=dtype).get_config()["dtype"]["config"]["name"] == "float32"


# -- weights ---------------------------------------------------------------------------------------


def test_random_weights_are_drawn_as_keras_draws_them():
    model = BertBackbone(5000, 1, 4, 64, 96, seed=7)
    for name, value in model.weights():
        kind = name.rsplit("/", 1)[1]
        if kind in ("bias", "beta", "gamma"):
            np.testing.assert_array_equal(value, 1.0 if kind == "gamma" else 0.0)
        else:
            assert np.abs(value).max() <= 0.04, name  # cut at two standard deviations
            assert value.std() == pytest.approx(0.0176, rel=0.15), name
    values = model.token_embedding.embeddings
    assert values.std() == pytest.approx(0.02 * 0.8796, rel=0.005)
    assert values.mean() == pytest.approx(0, abs=1e-4)
    assert np.abs(values).max() == pytest.approx(0.04, rel=1e-3)


def test_a_seed_repeats_the_weights():
    first, second, other, fresh = (dict(make(seed=s).weights()) for s in (5, 5, 6, None))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    name = "transformer_layer_1/self_attention_layer/key/kernel"
    assert not np.array_equal(first[name], other[name])
    assert not np.array_equal(first[name], fresh[name])
    assert not np.array_equal(dict(make().weights())[name], fresh[name])


@pytest.mark.parametrize("case", goldens.KERAS_CASES)
def test_weights_come_back_bit_for_bit_in_kerass_order(case):
    model = goldens.backbone(case)
    names = [name for name, _ in model.weights()]
    assert names == list(weight_shapes(goldens.config(case)))
    for name, value in model.weights():
        np.testing.assert_array_equal(value, goldens.bundle(case).arrays[f"weights.{name}"], name)


def test_weights_are_copies():
    model = make(seed=1)
    for _, value in model.weights():
        value[:] = 7
    assert np.abs(model.token_embedding.embeddings).max() < 1


@pytest.mark.parametrize("case", goldens.KERAS_CASES)
def test_count_params(case):
    counted = sum(value.size for value in goldens.weights(case).values())
    assert goldens.backbone(case).count_params() == counted


def test_summary_prints_the_models_own_table(capsys):
    model = make(name="little")
    assert model.summary() is None
    printed = capsys.readouterr().out
    assert 'Model "little"' in printed
    assert f"Parameters: {model.count_params():,}" in printed


def test_repr_has_every_field():
    text = repr(make(activation="gelu"))
    assert text.startswith("BertBackbone(vocabulary_size=23, num_layers=2, num_heads=3")
    assert "activation='gelu'" in text


# -- config ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["keras_tiny", "keras_tiny_dropout_zero"])
def test_get_config_is_what_keras_wrote(preset):
    written = json.loads((PRESETS / preset / "config.json").read_text())["config"]
    model = BertBackbone.from_preset(PRESETS / preset, name=written["name"])
    config = model.get_config()
    assert config == written
    assert list(config) == list(written)
    assert list(config["dtype"]) == list(written["dtype"])


def test_get_config_adds_ours_only_where_they_differ():
    assert set(make().get_config()) == {*SIZES, "dropout", "name", "trainable", "dtype"}
    config = make(activation="gelu", layer_norm_epsilon=1e-5).get_config()
    assert (config["activation"], config["layer_norm_epsilon"]) == ("gelu", 1e-5)


@pytest.mark.parametrize("changes", [{}, {"activation": "gelu", "layer_norm_epsilon": 1e-5}])
def test_from_config_is_the_inverse_of_get_config(changes):
    config = make(name="again", **changes).get_config()
    model = BertBackbone.from_config(json.loads(json.dumps(config)))
    assert model.get_config() == config
    assert model.config == BertConfig(**SIZES, **changes)


def test_from_config_refuses_what_it_does_not_know():
    with pytest.raises(ConfigError, match="unknown argument 'rope'"):
        BertBackbone.from_config(make().get_config() | {"rope": 1})


@pytest.mark.parametrize("seed", [-1, "x", 1.5, True])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(
        ConfigError, match=r"seed must be None or an int of 0 or more(.|\n)*received"
    ):
        BertBackbone(31, 1, 2, 6, 7, seed=seed)


def test_a_name_is_a_str():
    with pytest.raises(ConfigError, match="name must be a str"):
        BertBackbone(31, 1, 2, 6, 7, name=5)


def test_from_config_names_what_it_lacks():
    with pytest.raises(ConfigError, match="the config lacks num_layers, num_heads, hidden_dim"):
        BertBackbone.from_config({"vocabulary_size": 31})
    with pytest.raises(ConfigError, match="from_config takes a dictionary"):
        BertBackbone.from_config([1])


def test_what_is_no_list_of_sequences_no_table_and_no_weights():
    model = BertBackbone(31, 1, 2, 6, 7)
    with pytest.raises(InputTypeError, match="the sequences must be a list"):
        model.encode_ragged(5)
    with pytest.raises(InputTypeError, match="token_embedding takes an array"):
        model.token_embedding([[1], [1, 2]])
    with pytest.raises(InputTypeError, match="from_weights takes a BertConfig and a dictionary"):
        BertBackbone.from_weights(model.config, None)


@pytest.mark.kernel
def test_no_pooler_to_pool_with():
    model = BertBackbone(31, 1, 2, 6, 7)
    weights = {name: w for name, w in model.weights() if not name.startswith("pooled")}
    without = BertBackbone.from_weights(model.config, weights)
    with pytest.raises(ConfigError, match="the model has no pooler, and so no vector of a whole"):
        without.pool_ragged(*without.encode_ragged([[1, 2]]))
