"""Keras's ``model.weights.h5`` as Keras writes it, and shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import pytest

from npbert.errors import ConfigError
from npbert.weights import keras_h5
from npbert.weights.atomic import replacing
from npbert.weights.dtypes import ITEM_BYTES
from npbert.weights.names import tensors
from npbert.weights.save_h5 import GIB, write_h5, write_shards

from .model_files import CONFIG, PRESETS, assert_same, golden, random_arrays

DTYPES = ("float32", "float64", "float16", "bfloat16")
ARRAYS = random_arrays()  # every element exact in the narrow dtypes too


def tree(path: Path) -> dict[str, Any]:
    """Everything in an HDF5 file that a reader could see, names that Keras counts up aside."""
    found: dict[str, Any] = {}

    def visit(name: str, node: Any) -> None:
        attributes = {k: str(v).split("_1")[0] for k, v in node.attrs.items()}
        found[name] = (attributes, None)
        if isinstance(node, h5py.Dataset):
            kind = (node.dtype.str, node.shape, node.chunks, node.compression)
            found[name] = (attributes, (*kind, node[...].tobytes()))

    with h5py.File(path) as file:
        file.visititems(visit)
        found["/"] = dict(file.attrs)
    return found


@pytest.mark.parametrize("name", ["keras_tiny", "keras_tiny_dropout_zero"])
def test_group_by_group_what_keras_writes(tmp_path: Path, name: str):
    config, weights = golden(name)
    pairs = ((t.name, weights[t.name]) for t in tensors(config))
    write_h5(tmp_path / "a.h5", pairs, config, name="bert_backbone", dtype="float32")
    ours, theirs = tree(tmp_path / "a.h5"), tree(PRESETS / name / "model.weights.h5")
    assert ours.keys() == theirs.keys()
    for key, node in theirs.items():
        assert ours[key] == node, key


@pytest.mark.parametrize("dtype", DTYPES)
def test_there_and_back(tmp_path: Path, dtype: str):
    write_h5(tmp_path / "a.h5", ARRAYS.items(), CONFIG, name="bert_backbone", dtype=dtype)
    assert_same(keras_h5.load(tmp_path / "a.h5", CONFIG), ARRAYS)
    with h5py.File(tmp_path / "a.h5") as file:
        dataset = file["/layers/dense/vars/0"]
        widths = {"float32": "<f4", "float64": "<f8", "float16": "<f2", "bfloat16": "|V2"}
        assert dataset.dtype.str == widths[dtype]
        assert dict(dataset.attrs) == ({"dtype": "bfloat16"} if dtype == "bfloat16" else {})


def shards(folder: Path, dtype: str, max_bytes: float) -> list[Path]:
    index = folder / "model.weights.json"
    with replacing(folder) as files:
        return write_shards(
            files, index, ARRAYS.items(), CONFIG, name="m", dtype=dtype, max_bytes=max_bytes
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_shards(tmp_path: Path, dtype: str):
    size = ITEM_BYTES[dtype]
    paths = shards(tmp_path, dtype, 160 * size)
    assert [path.name for path in paths] == [f"model_{i:05}.weights.h5" for i in range(len(paths))]
    assert len(paths) > 5
    assert_same(keras_h5.load(tmp_path / "model.weights.json", CONFIG), ARRAYS)
    index = json.loads((tmp_path / "model.weights.json").read_text())
    total = sum(a.size for a in ARRAYS.values()) * size
    assert index["metadata"] == {"total_size": float(total)}
    places = index["weight_map"]
    assert {type(value) for value in places.values()} == {str, list}  # some layers are in two
    assert all(key.startswith("/layers/") and key.endswith("/vars") for key in places)
    for path in paths:
        datasets = [node[1] for node in tree(path).values() if len(node) == 2 and node[1]]
        assert 0 < sum(len(data) for *_, data in datasets) <= 160 * size


def test_a_shard_too_small_for_a_tensor(tmp_path: Path):
    largest = max(a.nbytes for a in ARRAYS.values())
    assert len(shards(tmp_path, "float32", largest)) > 1
    with pytest.raises(ConfigError, match=r"kernel' alone is larger than a shard may be") as error:
        shards(tmp_path, "float32", largest - 1)
    assert error.value.received == f"{(largest - 1) / GIB:g} GiB"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_a_device_that_is_full():
    with pytest.raises(OSError):  # noqa: PT011 -- the text is HDF5's
        write_h5(Path("/dev/full"), ARRAYS.items(), CONFIG, name="m", dtype="float32")


def test_another_order_is_noticed(tmp_path: Path):
    pairs = dict(reversed(ARRAYS.items())).items()
    with pytest.raises(AssertionError, match="comes where"), replacing(tmp_path) as files:
        write_shards(
            files, tmp_path / "a.weights.json", pairs, CONFIG, name="m", dtype="float32",
            max_bytes=1e6,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []
