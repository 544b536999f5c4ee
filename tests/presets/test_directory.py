"""Model directories that are missing, incomplete or not a BERT's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file
from weights import model_files

from npbert.errors import ModelFileError, UnsafeModelError, WeightError
from npbert.presets import load_preset
from npbert.presets.directory import read_config, read_weights
from npbert.weights import weight_shapes

from .model_folders import PRESETS, change, copy


def test_missing(tmp_path: Path):
    with pytest.raises(ModelFileError) as error:
        load_preset(tmp_path / "nothing")
    assert str(error.value) == (
        f"no model at '{tmp_path / 'nothing'}'.\n"
        "  received: No such file or directory\n"
        "  expected: a known name, or a directory with config.json with model.weights.h5 "
        "(Keras Hub) or model.safetensors\n"
        "  fix:      give the directory that holds the files"
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("bert_base_en_uncase", "bert_base_en_uncased"), ("all-minilm-L6-v2", "all-MiniLM-L6-v2")],
)
def test_missing_but_nearly_a_name(name: str, nearest: str):
    with pytest.raises(ModelFileError, match=f"did you mean '{nearest}'"):
        load_preset(name)


def test_empty(tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"no model at(.|\n)*received: an empty directory"):
        load_preset(tmp_path)


def test_other_files(tmp_path: Path):
    for i in range(12):
        (tmp_path / f"{i:02}.txt").touch()
    with pytest.raises(ModelFileError, match=r"found: 00.txt, 01.txt, .*, 09.txt and 2 more"):
        load_preset(tmp_path)


def test_a_file_in_place_of_a_directory():
    with pytest.raises(ModelFileError, match=r"no model at(.|\n)*received: Not a directory"):
        load_preset(PRESETS / "hf_tiny" / "model.safetensors")


def test_a_null_byte():
    with pytest.raises(ModelFileError, match=r"received: embedded null"):
        load_preset("models\0")


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
def test_no_weights_file(tmp_path: Path, name: str):
    folder = copy(name, tmp_path)
    weights = "model.weights.h5" if name == "keras_tiny" else "model.safetensors"
    (folder / weights).unlink()
    message = rf"has no weights file(.|\n)*found: config.json(.|\n)*expected: {weights}"
    with pytest.raises(ModelFileError, match=message):
        load_preset(folder)


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
def test_an_empty_weights_file(tmp_path: Path, name: str):
    folder = copy(name, tmp_path)
    next(folder.glob("model.*")).write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"the file is empty \(0 bytes\)"):
        load_preset(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
@pytest.mark.parametrize("kind", ["fifo", "directory"])
@pytest.mark.parametrize("file", ["config.json", "model.*"])
def test_what_is_no_file(tmp_path: Path, name: str, kind: str, file: str):
    """It is named, and never waited for."""
    path = next(copy(name, tmp_path).glob(file))
    path.unlink()
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    with pytest.raises(ModelFileError, match=rf"not a regular file.\n(.|\n)*received: {kind}"):
        load_preset(path.parent)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.pkl"])
def test_only_a_pickle(tmp_path: Path, name: str):
    folder = copy("hf_tiny", tmp_path)
    (folder / "model.safetensors").rename(folder / name)
    message = rf"a pickle, which can run code(.|\n)*{name}(.|\n)*to safetensors"
    with pytest.raises(UnsafeModelError, match=message):
        load_preset(folder)


def _same(folder: Path, name: str) -> bool:
    found, expected = load_preset(folder).weights, load_preset(PRESETS / name).weights
    assert found is not None
    assert expected is not None
    assert found.keys() == expected.keys()
    return all(np.array_equal(found[key], expected[key]) for key in expected)


def _sharded(name: str, to: Path) -> tuple[Path, Path]:
    """A golden directory with its weights in three files: the directory, the index."""
    folder = copy(name, to)
    weights = next(folder.glob("model.*"))
    if name == "keras_tiny":
        index = model_files.shard_h5(weights, folder / "model.weights.json", 3)
    else:
        named = load_file(weights)
        index = model_files.shard_safetensors(named, folder / "model.safetensors.index.json", 3)
    weights.unlink()
    return folder, index


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny", "hf_tiny_prefixed"])
def test_several_weights_files(tmp_path: Path, name: str):
    folder, _ = _sharded(name, tmp_path)
    assert _same(folder, name)


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
def test_one_file_wins_over_an_index(tmp_path: Path, name: str):
    folder, index = _sharded(name, tmp_path)
    index.write_text("{}")
    whole = next((PRESETS / name).glob("model.*"))
    shutil.copy(whole, folder / whole.name)
    assert _same(folder, name)


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
def test_a_damaged_index(tmp_path: Path, name: str):
    folder, index = _sharded(name, tmp_path)
    index.write_bytes(index.read_bytes()[:-9])
    with pytest.raises(ModelFileError, match=rf"not valid JSON(.|\n)*{index.name}"):
        load_preset(folder)


def test_a_snapshot_of_a_hub_cache(tmp_path: Path):
    """Every file of it is a link to ``blobs``, as huggingface_hub keeps them."""
    folder, _ = _sharded("hf_tiny", tmp_path)
    cache = tmp_path / "models--someone--bert"
    snapshot = cache / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    for i, file in enumerate(sorted(folder.iterdir())):
        file.rename(cache / "blobs" / f"{i:040}")
        (snapshot / file.name).symlink_to(f"../../blobs/{i:040}")
    assert _same(snapshot, "hf_tiny")


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
@pytest.mark.parametrize("sharded", [False, True])
def test_fewer_layers_than_the_files_have(tmp_path: Path, name: str, sharded: bool):
    folder = _sharded(name, tmp_path)[0] if sharded else PRESETS / name
    whole = read_config(folder, {})[1].num_layers
    loaded = load_preset(folder, overrides={"num_layers": whole - 1})
    assert loaded.weights is not None
    shapes = {key: array.shape for key, array in loaded.weights.items()}
    assert shapes == weight_shapes(loaded.config)
    kind, config, _ = read_config(folder, {"num_layers": whole - 1})
    with pytest.raises(WeightError, match="16 tensors are in the file without a place"):
        read_weights(folder, kind, config)


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
def test_a_config_with_fewer_layers_than_the_files_have(tmp_path: Path, name: str):
    folder = copy(name, tmp_path)
    change(folder, {"num_layers" if name == "keras_tiny" else "num_hidden_layers": 1})
    with pytest.raises(WeightError, match="tensors are in the file without a place"):
        load_preset(folder)


def test_int8(tmp_path: Path):
    folder = copy("keras_tiny", tmp_path)
    config = read_config(folder, {})[1]
    arrays = load_preset(folder).weights
    assert arrays is not None
    stored, scales, meant = model_files.quantise(arrays, ["pooled_dense/kernel"], config)
    with h5py.File(model_files.write_h5(folder / "model.weights.h5", stored, config), "a") as file:
        for key, scale in scales.items():
            file[key] = scale
    policy = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}
    saved = {"default_policy": None, "policy_map": {"pooled_dense": policy}}
    change(folder, {"dtype": {"class_name": "DTypePolicyMap", "config": saved}})
    with pytest.warns(UserWarning, match=r"model.weights.h5 holds int8 weights"):
        preset = load_preset(folder)
    assert preset.dtype == "int8"
    assert preset.weights is not None
    model_files.assert_same(preset.weights, meant)
