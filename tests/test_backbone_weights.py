"""`BertBackbone.from_weights`: tensors already in memory, and the words it refuses with."""

from __future__ import annotations

import goldens
import numpy as np
import pytest

from npbert import BertBackbone
from npbert.errors import ConfigError, WeightError
from npbert.weights import weight_shapes

CASE = "odd_width"
GAMMA, KERNEL, BIAS = "embeddings_layer_norm/gamma", "pooled_dense/kernel", "pooled_dense/bias"


def make(changes, **settings):
    """The case's model with some tensors changed, or left out where the change is None."""
    weights = goldens.weights(CASE) | changes
    weights = {name: value for name, value in weights.items() if value is not None}
    return BertBackbone.from_weights(goldens.config(CASE), weights, **settings)


def refuse(words, changes):
    with pytest.raises(WeightError, match=words) as error:
        make(changes)
    return error.value


def test_tensors_come_back_bit_for_bit():
    weights = goldens.weights(CASE)
    model = BertBackbone.from_weights(goldens.config(CASE), weights)
    for name, value in model.weights():
        np.testing.assert_array_equal(value, weights[name], name)
    assert model.path is None


def test_they_are_copied():
    weights = goldens.weights(CASE)
    model = BertBackbone.from_weights(goldens.config(CASE), weights)
    assert set(weights) == set(weight_shapes(goldens.config(CASE)))  # nothing taken out
    for value in weights.values():
        value[:] = 7
    for name, value in model.weights():
        np.testing.assert_array_equal(value, goldens.bundle(CASE).arrays[f"weights.{name}"], name)


def test_any_real_dtype_and_layout():
    weights = goldens.weights(CASE)
    changes = {
        KERNEL: np.asfortranarray(weights[KERNEL].astype(np.float64)),
        GAMMA: np.ones(20, ">f4"),
        BIAS: [0] * 20,
        "token_embedding/embeddings": weights["token_embedding/embeddings"].astype(np.float16),
    }
    for name, value in make(changes).weights():
        expected = np.asarray(changes.get(name, weights[name]), np.float32)
        np.testing.assert_array_equal(value, expected, name)


def test_settings():
    model = make({}, num_threads=3, name="mine")
    assert (model.num_threads, model.name) == (3, "mine")
    with pytest.raises(ConfigError, match="dtype is not one that npbert has"):
        make({}, dtype="float8")


def test_without_a_pooler():
    model = make({KERNEL: None, BIAS: None})
    shapes = weight_shapes(goldens.config(CASE), pooler=False)
    assert [name for name, _ in model.weights()] == list(shapes)


@pytest.mark.parametrize("name", [GAMMA, BIAS, "transformer_layer_0/self_attention_layer/key/bias"])
def test_a_missing_tensor(name):
    error = refuse("^1 tensor is missing", {name: None})
    assert (error.expected, error.where) == (name, "the weights given")


def test_an_extra_tensor():
    error = refuse("^1 tensor is .*without a place in the config", {"mlm_head/bias": np.ones(3)})
    assert error.received == "mlm_head/bias"


@pytest.mark.parametrize("shape", [(), (21,), (1, 20), (20, 1), (0,)])
def test_another_shape(shape):
    error = refuse(f"^'{GAMMA}' has the wrong shape", {GAMMA: np.ones(shape)})
    assert (error.received, error.expected) == (shape, "(20,), from the config")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite(value):
    gamma = np.ones(20)
    gamma[3] = value
    error = refuse(f"^'{GAMMA}' has 1 value not finite in float64", {GAMMA: gamma})
    assert error.received.endswith(" at [3]")


def test_a_value_that_float32_cannot_hold():
    error = refuse(f"^'{GAMMA}' has values too large for float32", {GAMMA: np.full(20, -1e300)})
    assert (error.received, error.expected) == ("1e+300", "at most 3.4028e38")


@pytest.mark.parametrize("value", ["x" * 20, ["x"] * 20, [[1], [2, 3]], np.ones(20, complex)])
def test_tensors_that_are_no_real_numbers(value):
    refuse(f"^'{GAMMA}' ", {GAMMA: value})
