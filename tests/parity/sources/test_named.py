"""Arrays sorted by their names."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from goldens import GOLDEN

from npbert.config import BertConfig
from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.parity.bundle import load_bundle
from npbert.parity.graph import graph
from npbert.parity.sources.named import as_array, check_batch, is_stage, sort_out

X = np.float32([[1, 2, 3], [4, 5, 6]])


def test_all_stages_are_known_and_little_else():
    config = BertConfig(**load_bundle(GOLDEN / "deep").meta["config"])
    assert all(map(is_stage, [*graph(config), "text.pooling", "text.vector"]))
    for name in ("layer.0", "layer.x.query", "tf32.sequence_output", "embeddings", "query", ""):
        assert not is_stage(name)


def test_stages_inputs_weights_and_the_rest():
    arrays = {
        "layer.0.query": X,
        "encoder.layer.1.output.dense": X + 1,
        "attention_mask": X + 2,
        "input_ids": X + 3,
        "inputs.segment_ids": X + 4,
        "weights.pooled_dense/kernel": X + 5,
        "hidden": X.tolist(),
    }
    found = sort_out(arrays, "file")
    assert list(found.stages) == ["layer.0.query", "layer.1.output"]
    assert found.inputs is not None
    assert {name: array[0, 0] for name, array in found.inputs.items()} == {
        "padding_mask": 3,
        "token_ids": 4,
        "segment_ids": 5,
    }
    assert list(found.weights) == ["pooled_dense/kernel"]
    assert list(found.others) == ["hidden"]


def test_some_of_the_inputs_are_none():
    assert sort_out({"input_ids": X, "attention_mask": X}, "file").inputs is None


def test_one_stage_under_two_names():
    with pytest.raises(ConfigError, match=r"two arrays are called token_ids[^$]*file: input_ids"):
        sort_out({"token_ids": X, "input_ids": X}, "file")


def test_bfloat16_comes_back():
    values = np.array([1.5, -3], ml_dtypes.bfloat16)
    array = as_array(values.view("V2"), "x")
    assert array.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(array, values)
    assert as_array(values, "x").dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize("value", ["text", [X, X[0]], None, {"a": 1}, np.array(["a"])])
def test_what_is_no_array_of_numbers(value):
    with pytest.raises(InputTypeError, match=r"this is no array"):
        as_array(value, "x")


def test_stages_of_another_batch():
    check_batch({"sequence_output": X, "text.vector": X[:1]}, {"token_ids": X}, "file")
    with pytest.raises(InputError, match=r"another batch[^$]*file: pooled_output[^$]*2 rows, of 3"):
        check_batch({"pooled_output": X[:1]}, {"token_ids": X}, "file")
