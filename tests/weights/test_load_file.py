"""Weights files of every kind, for a model that exists; and those that fit only in part."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from npbert.errors import ModelFileError, NpbertError, UnsafeModelError, WeightError
from npbert.weights.atomic import replacing
from npbert.weights.load_file import load_file, load_matching
from npbert.weights.save_h5 import write_h5 as save_h5
from npbert.weights.save_h5 import write_shards

from .model_files import CONFIG, assert_same, random_arrays, write_h5

ARRAYS = random_arrays()


def one(folder: Path) -> Path:
    return write_h5(folder / "a.weights.h5", ARRAYS)


def several(folder: Path) -> Path:
    index = folder / "a.weights.json"
    with replacing(folder) as files:
        pairs = ARRAYS.items()
        write_shards(files, index, pairs, CONFIG, name="m", dtype="float32", max_bytes=700)
    return index


def archive(folder: Path, prefix: str = "", dtype: str = "float32") -> Path:
    """As Keras lays a task out when ``prefix`` is given: a head and an optimizer beside BERT."""
    path = folder / "inner.h5"
    save_h5(path, ARRAYS.items(), CONFIG, name="m", dtype=dtype)
    if prefix:
        with h5py.File(path, "a") as file:
            file.move("/layers", "/moved")
            file.require_group(prefix)
            file.move("/moved", f"{prefix}/layers")
            file["/layers/dense/vars/0"] = np.zeros((12, 3), np.float32)
            file["/layers/dense/vars/1"] = np.zeros(3, np.float32)
            file["/optimizer/vars/0"] = np.int32(5)
    with zipfile.ZipFile(folder / "a.keras", "w") as zipped:
        zipped.write(path, "model.weights.h5")
    return folder / "a.keras"


def task(folder: Path) -> Path:
    return archive(folder, "/layers/bert_backbone")


def narrow(folder: Path) -> Path:
    return archive(folder, dtype="bfloat16")


@pytest.mark.parametrize("write", [one, several, archive, task, narrow])
def test_every_kind(tmp_path: Path, write):
    path = write(tmp_path)
    assert_same(load_file(path, CONFIG), ARRAYS)
    loaded, skipped = load_matching(path, CONFIG)
    assert skipped == {}
    assert_same(loaded, ARRAYS)


@pytest.mark.parametrize("name", ["a.bin", "a.npz", "a.safetensors", "a", "a.json", "a.keras.zip"])
@pytest.mark.parametrize("load", [load_file, load_matching])
def test_other_endings(tmp_path: Path, name: str, load):
    with pytest.raises(ModelFileError, match=f"file format not supported: {name}"):
        load(tmp_path / name, CONFIG)


@pytest.mark.parametrize("write", ["h5", "keras"])
def test_what_fits_and_what_does_not(tmp_path: Path, write: str):
    kept = {n: a for n, a in ARRAYS.items() if n != "pooled_dense/bias"}
    kept["token_embedding/embeddings"] = kept["token_embedding/embeddings"][:-1]
    path = write_h5(tmp_path / "a.weights.h5", kept)
    if write == "keras":
        with zipfile.ZipFile(tmp_path / "a.keras", "w") as zipped:
            zipped.write(path, "model.weights.h5")
        path = tmp_path / "a.keras"
    with pytest.raises(WeightError, match="1 tensor is missing"):
        load_file(path, CONFIG)
    loaded, skipped = load_matching(path, CONFIG)
    assert skipped == {
        "token_embedding/embeddings": "its shape there is (10, 12), not (11, 12)",
        "pooled_dense/bias": "it is not in the file",
    }
    assert_same(loaded, {n: a for n, a in ARRAYS.items() if n not in skipped})


def test_a_matching_tensor_must_still_be_finite(tmp_path: Path):
    bad = ARRAYS | {"pooled_dense/bias": np.full(12, np.nan, np.float32)}
    with pytest.raises(WeightError, match="'pooled_dense/bias' has 12 values not finite"):
        load_matching(write_h5(tmp_path / "a.weights.h5", bad), CONFIG)


def test_the_hdf5_rules_hold_inside_an_archive(tmp_path: Path):
    path = one(tmp_path)
    with h5py.File(path, "a") as file:
        file["/layers/dense/vars/2"] = h5py.ExternalLink("/etc/passwd", "/")
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as zipped:
        zipped.write(path, "model.weights.h5")
    for load in (load_file, load_matching):
        with pytest.raises(UnsafeModelError, match="reaches outside its own arrays"):
            load(tmp_path / "a.keras", CONFIG)


def test_int8_in_an_archive_is_said(tmp_path: Path):
    path = one(tmp_path)
    integers = (np.arange(144) - 72).astype(np.int8).reshape(12, 12)
    with h5py.File(path, "a") as file:
        del file["/layers/dense/vars/0"]
        file["/layers/dense/vars/0"] = integers
        file["/layers/dense/vars/2"] = np.full(12, 4, np.float32)
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as zipped:
        zipped.write(path, "model.weights.h5")
    with pytest.warns(UserWarning, match="holds int8 weights"):
        loaded = load_file(tmp_path / "a.keras", CONFIG)
    np.testing.assert_array_equal(loaded["pooled_dense/kernel"], integers / np.float32(4))


@pytest.mark.parametrize("seed", range(30))
def test_a_mutated_archive_is_an_error_or_the_same(tmp_path: Path, seed: int):
    random = np.random.default_rng(seed)
    content = bytearray(archive(tmp_path).read_bytes())
    kind = seed % 3
    for _ in range(random.integers(1, 4)):
        at = int(random.integers(len(content)))
        if kind == 0:
            content[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            del content[at : at + int(random.integers(1, 50))]
        else:
            content[at:at] = random.bytes(int(random.integers(1, 50)))
    (tmp_path / "a.keras").write_bytes(content)
    try:
        loaded = load_file(tmp_path / "a.keras", CONFIG)
    except NpbertError:
        return
    assert_same(loaded, ARRAYS)  # the flip was in a date, or in what no reader looks at
