"""``.keras`` archives as presets."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from weights.model_files import CONFIG, assert_same, random_arrays

from npbert.errors import ConfigError, ModelFileError, UnsupportedModelError, WeightError
from npbert.presets.archive import load_archive
from npbert.presets.savable import Model
from npbert.presets.save import save_archive
from npbert.weights.save_h5 import write_h5

ARRAYS = random_arrays()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_archive(tmp_path / "tiny.keras", Model(CONFIG, ARRAYS.items(), True))
    return tmp_path / "tiny.keras"


def config_of(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def rewrite(path: Path, config: dict[str, Any], weights: bytes | None = None) -> Path:
    with zipfile.ZipFile(path) as archive:
        weights = weights or archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    return path


def test_what_is_in_one(path: Path):
    loaded = load_archive(path, overrides={"dropout": 0.0})
    assert (loaded.name, loaded.kind, loaded.path) == ("tiny", "keras", path)
    assert loaded.config.dropout == 0.0
    assert load_archive(path, load_weights=False).weights is None
    with zipfile.ZipFile(path) as archive:
        names = ["metadata.json", "config.json", "model.weights.h5"]
        assert archive.namelist() == names
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_backbone_of_a_task(path: Path, tmp_path: Path):
    """As Keras lays it out; the real ones are among the live tests."""
    inner = tmp_path / "inner.h5"
    write_h5(inner, ARRAYS.items(), CONFIG, name="m", dtype="float32")
    with h5py.File(inner, "a") as file:
        file.move("/layers", "/moved")
        file.require_group("/layers/bert_backbone")
        file.move("/moved", "/layers/bert_backbone/layers")
        file["/layers/dense/vars/0"] = np.zeros((12, 4), np.float32)
    task = {"registered_name": "keras_hub>BertTextClassifier"}
    task["config"] = {"backbone": config_of(path), "num_classes": 4}
    loaded = load_archive(rewrite(path, task, inner.read_bytes()))
    assert loaded.config == CONFIG
    assert loaded.weights is not None
    assert_same(loaded.weights, ARRAYS)


def test_fewer_layers_when_asked_for(path: Path):
    loaded = load_archive(path, overrides={"num_layers": 1})
    assert loaded.weights is not None
    assert_same(loaded.weights, {n: a for n, a in ARRAYS.items() if "layer_1/" not in n})
    with pytest.raises(WeightError, match="missing"):
        load_archive(path, overrides={"num_layers": 3})


def test_of_another_architecture(path: Path):
    raw = config_of(path) | {"registered_name": "keras_hub>GPT2Backbone"}
    with pytest.raises(UnsupportedModelError, match="holds a GPT2Backbone, not a BertBackbone"):
        load_archive(rewrite(path, raw))


@pytest.mark.parametrize("where", ["config", "backbone"])
def test_of_code(path: Path, where: str):
    """Keras builds a Lambda from its bytes; here it is the name of another class."""
    code: dict[str, Any] = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}},
        "registered_name": "Lambda",
    }
    raw = code if where == "config" else config_of(path) | {"config": {"backbone": code}}
    with pytest.raises(UnsupportedModelError, match="holds a Lambda, not a BertBackbone"):
        load_archive(rewrite(path, raw))


@pytest.mark.parametrize("config", [None, [], {"backbone": 5}, {"vocabulary_size": 11}])
def test_a_config_that_is_none(path: Path, config: object):
    with pytest.raises(ConfigError):
        load_archive(rewrite(path, config_of(path) | {"config": config}))


def test_nothing_there(tmp_path: Path):
    with pytest.raises(ModelFileError, match="does not exist"):
        load_archive(tmp_path / "a.keras")
