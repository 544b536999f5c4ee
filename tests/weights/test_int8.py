"""Keras's int8 weights -> floats."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from npbert.errors import UnsupportedModelError, WeightError
from npbert.weights import keras_h5
from npbert.weights.int8 import dequantise
from npbert.weights.names import tensors

from .model_files import CONFIG, assert_same, quantise, random_arrays, shard_h5, write_h5

BY_NAME = {tensor.name: tensor for tensor in tensors(CONFIG)}
ALL = [
    name
    for name in BY_NAME
    if name.endswith(("/kernel", "/embeddings")) and not name.startswith("position")
]
QUERY = "transformer_layer_1/self_attention_layer/query/kernel"
SCALE = BY_NAME[QUERY].h5.removesuffix("0") + "2"
WARNING = r"holds int8 weights\. They are loaded as floats, each divided by its scale"


def write(path: Path, names: list[str] = ALL) -> tuple[Path, dict[str, np.ndarray]]:
    """A file with these tensors as int8, and what all of its tensors mean."""
    stored, scales, meant = quantise(random_arrays(), names)
    write_h5(path, stored)
    with h5py.File(path, "a") as file:
        for key, scale in scales.items():
            file[key] = scale
    return path, meant


@pytest.mark.parametrize("names", [ALL, [QUERY]])
def test_becomes_floats_and_says_so(tmp_path: Path, names: list[str]):
    path, meant = write(tmp_path / "model.weights.h5", names)
    with pytest.warns(UserWarning, match=WARNING) as caught:
        loaded = keras_h5.load(path, CONFIG)
    assert len(caught) == 1
    assert str(path) in str(caught[0].message)
    assert_same(loaded, meant)
    for name, array in random_arrays().items():
        np.testing.assert_allclose(loaded[name], array, rtol=0, atol=2 / 127, err_msg=name)


def test_in_shards(tmp_path: Path):
    whole, meant = write(tmp_path / "whole.h5")
    path = shard_h5(whole, tmp_path / "model.weights.json", 5)
    with pytest.warns(UserWarning, match=WARNING):
        assert_same(keras_h5.load(path, CONFIG), meant)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("token_embedding/embeddings", (11, 1)),
        (QUERY, (1, 3, 4)),
        ("transformer_layer_0/self_attention_layer/attention_output/kernel", (1, 1, 12)),
        ("transformer_layer_0/feedforward_intermediate_dense/kernel", (1, 13)),
    ],
)
def test_the_scale_is_one_for_each_row_or_output(name: str, shape: tuple[int, ...]):
    tensor = BY_NAME[name]
    rng = np.random.default_rng(3)
    values = rng.integers(-127, 128, tensor.shape).astype(np.int8)
    scale = rng.uniform(1, 9, shape).astype(np.float32)
    expected = values.astype(np.float32) / scale
    assert dequantise(values, scale.reshape(-1), tensor).tobytes() == expected.tobytes()


@pytest.mark.parametrize("shape", [(4, 3), (12,), (1, 1, 3, 3), ()])
def test_a_scale_of_another_shape(tmp_path: Path, shape: tuple[int, ...]):
    path, _ = write(tmp_path / "model.weights.h5")
    with h5py.File(path, "a") as file:
        del file[SCALE]
        file[SCALE] = np.ones(shape, np.float32)
    message = rf"the int8 scale of '{QUERY}' has the wrong shape(.|\n)*{SCALE}"
    with pytest.raises(WeightError, match=message):
        keras_h5.load(path, CONFIG)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_scale_that_cannot_be_undone(tmp_path: Path, value: float):
    path, _ = write(tmp_path / "model.weights.h5")
    with h5py.File(path, "a") as file:
        file[SCALE][0, 0, 2, 1] = value
    with pytest.raises(WeightError, match=rf"'{QUERY}' has 12 values not finite"):
        keras_h5.load(path, CONFIG)


def test_without_its_scale(tmp_path: Path):
    path, _ = write(tmp_path / "model.weights.h5")
    with h5py.File(path, "a") as file:
        del file[SCALE]
    with pytest.raises(UnsupportedModelError, match=r"quantised model(.|\n)*received: int8"):
        keras_h5.load(path, CONFIG)


def test_an_integer_scale(tmp_path: Path):
    path, _ = write(tmp_path / "model.weights.h5")
    with h5py.File(path, "a") as file:
        del file[SCALE]
        file[SCALE] = np.ones((3, 4), np.int8)
    with pytest.raises(UnsupportedModelError, match=rf"quantised model(.|\n)*{SCALE}"):
        keras_h5.load(path, CONFIG)


def test_a_scale_for_floats(tmp_path: Path):
    path = write_h5(tmp_path / "model.weights.h5", random_arrays())
    with h5py.File(path, "a") as file:
        file[SCALE] = np.ones((3, 4), np.float32)
    with pytest.raises(WeightError, match="1 tensor is in the file without a place"):
        keras_h5.load(path, CONFIG)


def test_a_gigantic_scale_is_not_read(tmp_path: Path):
    path, _ = write(tmp_path / "model.weights.h5")
    with h5py.File(path, "a") as file:
        del file[SCALE]
        file.create_dataset(SCALE, (10**6, 10**6), "<f4")
    with pytest.raises(WeightError, match=r"received: \(1000000, 1000000\)"):
        keras_h5.load(path, CONFIG)
