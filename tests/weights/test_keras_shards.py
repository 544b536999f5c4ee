"""Keras's model.weights.json and its files -> arrays."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from npbert.errors import ModelFileError, UnsafeModelError, WeightError
from npbert.weights import keras_h5, weight_shapes

from .model_files import CONFIG, assert_same, change_json, random_arrays, shard_h5, write_h5

DENSE = "/layers/dense/vars"
FIRST, SECOND = "model_00000.weights.h5", "model_00001.weights.h5"


@pytest.fixture
def index(tmp_path: Path) -> Path:
    whole = write_h5(tmp_path / "whole.h5", random_arrays())
    return shard_h5(whole, tmp_path / "model.weights.json", 6)


def _files(index: Path, group: str) -> list[str]:
    found: Any = json.loads(index.read_text())["weight_map"][group]
    return [found] if isinstance(found, str) else found


def test_shards(index: Path):
    values = json.loads(index.read_text())["weight_map"].values()
    assert {type(value) for value in values} == {str, list}
    loaded = keras_h5.load(index, CONFIG)
    assert list(loaded) == list(weight_shapes(CONFIG))
    assert_same(loaded, random_arrays())


@pytest.mark.parametrize("shards", [1, 2, 39])
def test_any_number_of_shards(tmp_path: Path, shards: int):
    whole = write_h5(tmp_path / "whole.h5", random_arrays())
    index = shard_h5(whole, tmp_path / "model.weights.json", shards)
    assert_same(keras_h5.load(index, CONFIG), random_arrays())
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == 0


def test_layers_left_out(index: Path):
    config = dataclasses.replace(CONFIG, num_layers=1)
    loaded = keras_h5.load(index, config, leave_out_layers=True)
    assert_same(loaded, {name: random_arrays()[name] for name in weight_shapes(config)})
    with pytest.raises(WeightError, match="16 tensors are in the file without a place"):
        keras_h5.load(index, config)


def test_a_missing_shard(index: Path):
    (index.parent / SECOND).unlink()
    with pytest.raises(WeightError, match=f"the shard '{SECOND}' is missing"):
        keras_h5.load(index, CONFIG)


def test_a_layer_that_the_index_lacks(index: Path):
    change_json(index, lambda raw: raw["weight_map"].pop(DENSE))
    with pytest.raises(WeightError, match=f"'{DENSE}' is where the index does not say"):
        keras_h5.load(index, CONFIG)


def test_a_layer_in_none_of_the_files(index: Path):
    for name in _files(index, DENSE):
        with h5py.File(index.parent / name, "a") as file:
            del file[DENSE]
    with pytest.raises(WeightError, match=f"'{DENSE}' is not where the index says"):
        keras_h5.load(index, CONFIG)


def test_a_variable_that_is_lost(index: Path):
    with h5py.File(index.parent / _files(index, DENSE)[-1], "a") as file:
        del file[f"{DENSE}/1"]
        file[f"{DENSE}/2"] = np.ones(12, np.float32)
    with pytest.raises(WeightError, match=rf"1 tensor is missing(.|\n)*{DENSE}/1"):
        keras_h5.load(index, CONFIG)


def test_a_variable_in_two_files(index: Path):
    owner = _files(index, DENSE)
    other = FIRST if FIRST not in owner else SECOND
    with h5py.File(index.parent / other, "a") as file:
        file[f"{DENSE}/1"] = np.ones(12, np.float32)
    with pytest.raises(WeightError, match=f"'{DENSE}' is where the index does not say"):
        keras_h5.load(index, CONFIG)
    change_json(index, lambda raw: raw["weight_map"].update({DENSE: [*owner, other]}))
    message = rf"two tensors of the file both mean '{DENSE}/1'(.|\n)*{other}: {DENSE}/1"
    with pytest.raises(WeightError, match=message):
        keras_h5.load(index, CONFIG)


@pytest.mark.parametrize("name", ["../whole.h5", "/etc/passwd", "C:\\whole.h5", ""])
def test_a_shard_elsewhere(index: Path, name: str):
    change_json(index, lambda raw: raw["weight_map"].update({DENSE: name}))
    with pytest.raises(UnsafeModelError, match="escapes the model directory"):
        keras_h5.load(index, CONFIG)


def test_a_shard_that_reaches_outside_itself(index: Path):
    with h5py.File(index.parent / SECOND, "a") as file:
        file["/layers/more/vars/0"] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(UnsafeModelError, match=f"{SECOND}: /layers/more/vars/0"):
        keras_h5.load(index, CONFIG)


@pytest.mark.parametrize("kept", [0, 9, 700])
def test_a_damaged_shard_is_named(index: Path, kept: int):
    path = index.parent / SECOND
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match=rf"where: +{path}\n"):
        keras_h5.load(index, CONFIG)


def test_an_index_in_place_of_a_shard(index: Path):
    (index.parent / SECOND).write_text("{}")
    with pytest.raises(ModelFileError, match=r"not an HDF5 file"):
        keras_h5.load(index, CONFIG)
