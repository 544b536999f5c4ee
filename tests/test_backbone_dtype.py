"""`BertBackbone` in every dtype policy: how it is said, what comes back, and what does not fit.

What it computes is tested in ``test_backbone_numbers.py``.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator

import goldens
import ml_dtypes
import numpy as np
import pytest
from goldens import POLICIES, PRESETS, assert_same_bits
from policy_models import batch, config_of, make, random_weights

from npbert import BertBackbone
from npbert.config import set_dtype_policy
from npbert.dtype_policy import DTypePolicy, numpy_dtype
from npbert.errors import ConfigError, WeightError
from npbert.weights import weight_shapes

CONFIG = config_of()
every_policy = pytest.mark.parametrize("dtype", POLICIES)


@pytest.fixture(autouse=True)
def nothing_set() -> Iterator[None]:
    yield
    set_dtype_policy(None)


# -- how it is said --------------------------------------------------------------------------------


def of_keras(policy):
    """Such an object as ``keras.DTypePolicy``."""
    return types.SimpleNamespace(
        name=policy.name,
        compute_dtype=policy.compute_dtype,
        variable_dtype=policy.variable_dtype,
    )


def saved(policy):
    """As in the config.json of a preset."""
    return json.loads(json.dumps(policy.serialized()))


FORMS = {
    "a name": lambda policy: policy.name,
    "a policy": lambda policy: policy,
    "a policy of Keras": of_keras,
    "a dictionary": saved,
}


@every_policy
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_every_policy(dtype, form):
    policy = DTypePolicy(dtype)
    for model in (
        make(FORMS[form](policy)),
        BertBackbone.from_weights(CONFIG, random_weights(CONFIG), dtype=FORMS[form](policy)),
        BertBackbone.from_preset(PRESETS / "keras_tiny", dtype=FORMS[form](policy)),
        BertBackbone.from_preset("bert_tiny_en_uncased", False, dtype=FORMS[form](policy)),
    ):
        assert model.dtype_policy == policy
        assert model.compute_dtype == policy.compute_dtype
        assert model.variable_dtype == model.dtype == policy.variable_dtype
        assert model.precision.name == dtype.removeprefix("mixed_")
        kept = {value.dtype for _, value in model.weights()}
        assert kept == {numpy_dtype(policy.variable_dtype)}


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (None, "float32"),
        (np.float64, "float64"),
        (np.dtype(">f8"), "float64"),
        (np.float16, "float16"),
        (ml_dtypes.bfloat16, "bfloat16"),
        (np.dtype(ml_dtypes.bfloat16), "bfloat16"),
        (float, "float32"),
    ],
)
def test_a_dtype_is_the_policy_of_its_name(dtype, name):
    assert make(dtype).dtype_policy == DTypePolicy(name)


@pytest.mark.parametrize(
    ("dtype", "received", "fix"),
    [
        ("foo", "'foo'", "give one of these names to the whole model"),
        (5, "5", "give one of these names to the whole model"),
        ("float", "'float'", "did you mean 'float64'?"),
        ("mixed_bfloat", "'mixed_bfloat'", "did you mean 'mixed_bfloat16'?"),
        ({"config": {"name": "int8"}}, "{'config': {'name': 'int8'}}", None),
        ("int8", "'int8'", "choose a float; a preset that Keras quantised to int8 is read in any"),
    ],
)
def test_anything_else_names_the_valid_ones(dtype, received, fix):
    config = make().get_config()
    for call in (
        lambda: make(dtype),
        lambda: BertBackbone.from_config(config | {"dtype": dtype}),
        lambda: BertBackbone.from_weights(CONFIG, {}, dtype=dtype),
        lambda: BertBackbone.from_preset(PRESETS / "keras_tiny", dtype=dtype),
        lambda: BertBackbone.from_preset("bert_tiny_en_uncased", dtype=dtype),
        lambda: set_dtype_policy(dtype),
    ):
        with pytest.raises(ConfigError, match="dtype is not one that npbert has") as error:
            call()
        assert error.value.received == received
        assert error.value.expected == ", ".join(POLICIES)
        assert error.value.where == "dtype"
        assert fix is None or error.value.fix.startswith(fix)


@every_policy
def test_from_config_is_the_inverse_of_get_config(dtype):
    config = make(dtype, name="again", activation="gelu").get_config()
    assert config["dtype"]["config"] == {"name": dtype}
    again = BertBackbone.from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert again.dtype_policy.name == dtype


def test_the_global_default():
    """Of a model for which nothing is said; a preset of Keras's, too, as `from_preset` says."""
    set_dtype_policy("mixed_bfloat16")
    before = make()
    assert before.dtype_policy.name == "mixed_bfloat16"
    config = before.get_config()
    set_dtype_policy("float64")
    assert make().dtype_policy.name == "float64"
    assert make("float16").dtype_policy.name == "float16"
    assert before.dtype_policy.name == "mixed_bfloat16"
    assert BertBackbone.from_config(config).dtype_policy.name == "mixed_bfloat16"
    assert BertBackbone.from_preset(PRESETS / "keras_tiny").dtype == "float64"
    assert BertBackbone.from_preset(PRESETS / "keras_tiny", dtype="float32").dtype == "float32"
    given = BertBackbone.from_weights(CONFIG, random_weights(CONFIG))
    assert given.dtype_policy.name == "float64"
    set_dtype_policy(None)
    assert make().dtype_policy.name == "float32"


# -- what comes back -------------------------------------------------------------------------------


@pytest.mark.kernel
@every_policy
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_outputs_come_in_the_compute_dtype(dtype, dropout):
    model = make(dtype, dropout=dropout)
    computes = numpy_dtype(model.compute_dtype)
    outputs, stages = model.run_with_cache(batch())
    nothing = {name: array[:0] for name, array in batch().items()}
    for found in (
        outputs,
        model(batch()),
        model(batch(), skip_padding=True),
        model(nothing),
        model.predict(batch(), 2, show_progress_bar=False),
    ):
        assert [array.dtype for array in found.values()] == [computes] * len(found)
    # But for scores that Keras's fused path keeps in float32.
    exact = numpy_dtype(model.precision.real) if dropout == 0 else computes
    for name, array in stages.items():
        assert array.dtype == (exact if name.endswith(".scores") else computes), name
    scores = stages["layer.1.scores"]
    assert np.array_equal(scores.astype(computes).astype(exact), scores) == (exact == computes)
    assert list(stages) == goldens.stages(model.config)
    assert all(np.isfinite(array).all() for array in stages.values())
    layer = model.token_embedding
    assert layer.embeddings.dtype == numpy_dtype(model.dtype)
    vectors = layer(batch()["token_ids"])
    assert vectors.dtype == layer(vectors, reverse=True).dtype == computes


@pytest.mark.kernel
@every_policy
def test_ragged_rows_are_wider_but_hold_no_more(dtype):
    """They are what kernels take: float32, or float64, with values of the compute dtype."""
    model = make(dtype)
    real = "float64" if dtype == "float64" else "float32"
    rows, starts = model.encode_ragged([[1, 2, 3], [4], [5, 6]])
    for array in (rows, model.pool_ragged(rows, starts)):
        assert array.dtype == real == model.precision.real
        narrow = array.astype(numpy_dtype(model.compute_dtype))
        np.testing.assert_array_equal(narrow.astype(real), array)
    assert model.encode_ragged([])[0].dtype == real


@every_policy
def test_weights_come_back_in_kerass_order(dtype):
    model = make(dtype)
    assert [name for name, _ in model.weights()] == list(weight_shapes(model.config))
    assert model.count_params() == sum(value.size for _, value in model.weights())


@every_policy
def test_a_seed_draws_the_same_weights_for_every_policy(dtype):
    """Rounded, if they have to be."""
    drawn = dict(make("float32").weights())
    for name, value in make(dtype).weights():
        expected = drawn[name].astype(value.dtype)
        np.testing.assert_array_equal(goldens.bits(value), goldens.bits(expected), name)


@every_policy
def test_given_weights_are_rounded_once(dtype):
    weights = random_weights(CONFIG)
    model = BertBackbone.from_weights(CONFIG, weights, dtype=dtype)
    for name, value in model.weights():
        np.testing.assert_array_equal(value, weights[name].astype(value.dtype), name)


@pytest.mark.kernel
@every_policy
def test_loaded_weights_take_the_models_policy(dtype, tmp_path):
    source, model = make("float64", seed=7), make(dtype)
    source.save_weights(tmp_path / "a.weights.h5")
    expected = BertBackbone.from_weights(source.config, dict(source.weights()), dtype=dtype)
    for skip_mismatch in (False, True):
        model.load_weights(tmp_path / "a.weights.h5", skip_mismatch)
        assert model.dtype_policy.name == dtype
        assert_same_bits(dict(model.weights()), dict(expected.weights()))
        assert_same_bits(model(batch()), expected(batch()))
        model = make(dtype)


# -- what does not fit -----------------------------------------------------------------------------

TOO_LARGE = "pooled_dense/kernel"


def with_large(value):
    weights = random_weights(CONFIG)
    weights[TOO_LARGE][5, 7] = value
    return weights


@pytest.mark.parametrize(
    ("dtype", "value", "narrow", "most"),
    [
        ("float16", -65520.0, "float16", "65504"),
        ("float16_from_float32", 65520.0, "float16", "65504"),
        ("mixed_float16", 65520.0, "float16", "65504"),  # where it is used, not where it is kept
        ("bfloat16", 3.4e38, "bfloat16", "3.3895e38"),
        ("mixed_bfloat16", 3.4e38, "bfloat16", "3.3895e38"),
        ("float32", 1e39, "float32", "3.4028e38"),
    ],
)
def test_a_weight_that_is_too_large_for_the_policy(dtype, value, narrow, most):
    with pytest.raises(WeightError, match=f"{TOO_LARGE!r} has values too large") as error:
        BertBackbone.from_weights(CONFIG, with_large(value), dtype=dtype)
    assert str(error.value).startswith(f"{TOO_LARGE!r} has values too large for {narrow}.")
    assert error.value.expected == f"at most {most}"
    assert error.value.received == f"{abs(value):g}"
    assert "choose a dtype that goes further" in error.value.fix


@pytest.mark.parametrize("dtype", ["mixed_float16", "float16_from_float32"])
def test_so_it_is_in_files(dtype, tmp_path):
    wide = BertBackbone.from_weights(CONFIG, with_large(7e4), name="wide")
    wide.save_to_preset(tmp_path / "wide")
    wide.save_weights(tmp_path / "wide.weights.h5")
    with pytest.raises(WeightError, match=f"{TOO_LARGE!r} has values too large for float16"):
        BertBackbone.from_preset(tmp_path / "wide", dtype=dtype)
    model = make(dtype)
    before = dict(model.weights())
    with pytest.raises(WeightError, match=f"{TOO_LARGE!r} has values too large for float16"):
        model.load_weights(tmp_path / "wide.weights.h5")
    assert_same_bits(dict(model.weights()), before)


@pytest.mark.parametrize("dtype", ["float16", "float16_from_float32", "mixed_float16"])
def test_the_largest_that_float16_has_is_taken(dtype):
    """Also what rounds to it."""
    model = BertBackbone.from_weights(CONFIG, with_large(65519.0), dtype=dtype)
    exact = dtype == "mixed_float16"
    assert dict(model.weights())[TOO_LARGE].max() == (65519 if exact else 65504)
