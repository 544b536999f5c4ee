"""Keras's model.weights.h5 -> arrays."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from npbert.errors import (
    ModelFileError,
    ResourceLimitError,
    UnsafeModelError,
    UnsupportedModelError,
    WeightError,
)
from npbert.weights import keras_h5, weight_shapes
from npbert.weights.names import tensors

from .model_files import CONFIG, PRESETS, assert_same, golden, random_arrays, write_h5

QUERY = "transformer_layer_1/self_attention_layer/query/kernel"
QUERY_H5 = "/layers/transformer_encoder_1/_self_attention_layer/query_dense/vars/0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_h5(tmp_path / "model.weights.h5", random_arrays())


@pytest.mark.parametrize("name", ["keras_tiny", "keras_tiny_dropout_zero"])
def test_what_keras_hub_wrote_is_what_went_in(name: str):
    config, weights = golden(name)
    assert_same(keras_h5.load(PRESETS / name / "model.weights.h5", config), weights)


def test_the_order_is_that_of_keras(path: Path):
    loaded = keras_h5.load(path, CONFIG)
    assert list(loaded) == list(weight_shapes(CONFIG))
    assert_same(loaded, random_arrays())


def test_no_layers(tmp_path: Path):
    config = dataclasses.replace(CONFIG, num_layers=0)
    arrays = random_arrays(config)
    assert_same(keras_h5.load(write_h5(tmp_path / "a.h5", arrays, config), config), arrays)


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
def test_floats_become_float32(tmp_path: Path, dtype: str):
    arrays = random_arrays()
    path = write_h5(tmp_path / "a.h5", {name: a.astype(dtype) for name, a in arrays.items()})
    assert_same(keras_h5.load(path, CONFIG), arrays)


def test_bfloat16_as_keras_writes_it(tmp_path: Path):
    arrays = random_arrays()
    path = write_h5(tmp_path / "a.h5", {})
    with h5py.File(path, "a") as file:
        for tensor in tensors(CONFIG):
            bits = arrays[tensor.name].view(np.uint32) >> 16
            file[tensor.h5] = bits.astype(np.uint16).view("V2")
            file[tensor.h5].attrs["dtype"] = "bfloat16"
    assert_same(keras_h5.load(path, CONFIG), arrays)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (5, 3, 4), "maxshape": (None, 3, 4)},
    ],
)
def test_chunked_and_compressed(path: Path, options: dict[str, object]):
    with h5py.File(path, "a") as file:
        del file[QUERY_H5]
        file.create_dataset(QUERY_H5, data=random_arrays()[QUERY], **options)
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


def test_the_old_names_of_the_projections(path: Path):
    with h5py.File(path, "a") as file:
        for i in ("", "_1"):
            attention = file[f"/layers/transformer_encoder{i}/_self_attention_layer"]
            for projection in ("query", "key", "value", "output"):
                attention.move(f"{projection}_dense", f"_{projection}_dense")
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


def test_the_older_containers(path: Path):
    with h5py.File(path, "a") as file:
        file.move("/layers/reversible_embedding", "/_token_embedding")
        file.move("/layers/embedding", "/segment_embedding")
        file.move("/layers/layer_normalization", "/embeddings_layer_norm")
        file.move("/layers/position_embedding", "/position_embedding")
        file.move("/layers", "/_layer_checkpoint_dependencies")
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


def test_a_container_that_keras_does_not_find_either(path: Path):
    with h5py.File(path, "a") as file:
        file.move("/layers/transformer_encoder", "/transformer_layers/transformer_encoder")
    with pytest.raises(WeightError, match="16 tensors are missing"):
        keras_h5.load(path, CONFIG)


def test_old_and_new_name_together(path: Path):
    with h5py.File(path, "a") as file:
        file[QUERY_H5.replace("query", "_query")] = random_arrays()[QUERY]
    with pytest.raises(WeightError, match=f"two tensors of the file both mean '{QUERY_H5}'"):
        keras_h5.load(path, CONFIG)


def test_optimizer_and_random_state_are_no_weights(path: Path):
    with h5py.File(path, "a") as file:
        file["/optimizer/vars/0"] = np.int32(3)
        file["/layers/dropout/seed_generator/vars/0"] = np.array([1, 2], np.uint32)
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


def test_missing(path: Path):
    with h5py.File(path, "a") as file:
        del file[QUERY_H5]
    with pytest.raises(WeightError, match=f"1 tensor is missing(.|\n)*expected: {QUERY_H5}\n"):
        keras_h5.load(path, CONFIG)


def test_more_layers_than_the_config_says(path: Path):
    config = dataclasses.replace(CONFIG, num_layers=1)
    message = r"16 tensors are in the file without a place(.|\n)*num_layers may be too small"
    with pytest.raises(WeightError, match=message):
        keras_h5.load(path, config)


def test_more_layers_than_the_config_says_are_left_out_when_that_is_asked(path: Path):
    for count in (1, 0):
        config = dataclasses.replace(CONFIG, num_layers=count)
        loaded = keras_h5.load(path, config, leave_out_layers=True)
        assert_same(loaded, {name: random_arrays()[name] for name in weight_shapes(config)})
    with h5py.File(path, "a") as file:
        file["/layers/dense_1/vars/0"] = np.ones(3, np.float32)
    with pytest.raises(WeightError, match=r"without a place(.|\n)*/layers/dense_1/vars/0"):
        keras_h5.load(path, config, leave_out_layers=True)


def test_fewer_layers_than_the_config_says(path: Path):
    config = dataclasses.replace(CONFIG, num_layers=3)
    with pytest.raises(WeightError, match="16 tensors are missing"):
        keras_h5.load(path, config)


def test_wrong_shape_names_both(tmp_path: Path):
    arrays = random_arrays()
    path = write_h5(tmp_path / "a.h5", arrays | {QUERY: arrays[QUERY].reshape(12, 12)})
    with pytest.raises(WeightError) as error:
        keras_h5.load(path, CONFIG)
    assert str(error.value) == (
        f"{QUERY!r} has the wrong shape.\n"
        f"  where:    {path}: {QUERY_H5}\n"
        "  received: (12, 12)\n"
        "  expected: (12, 3, 4), from the config\n"
        "  fix:      check that the weights and config.json belong together"
    )


@pytest.mark.parametrize(
    ("name", "turn"),
    [
        (QUERY, lambda kernel: kernel.reshape(12, 12).T),
        (QUERY, lambda kernel: kernel.T),
        (QUERY.replace("query", "attention_output"), lambda kernel: kernel.reshape(12, 12).T),
        ("transformer_layer_0/feedforward_intermediate_dense/kernel", np.transpose),
        ("transformer_layer_0/feedforward_output_dense/kernel", np.transpose),
        ("token_embedding/embeddings", np.transpose),
    ],
)
def test_a_tensor_in_the_layout_of_pytorch(tmp_path: Path, name: str, turn: Any):
    arrays = random_arrays()
    path = write_h5(tmp_path / "a.h5", arrays | {name: turn(arrays[name])})
    with pytest.raises(WeightError, match=f"^'{name}' has the wrong shape"):
        keras_h5.load(path, CONFIG)


def test_not_finite(tmp_path: Path):
    arrays = random_arrays()
    arrays[QUERY][11, 2, 3] = np.inf
    with pytest.raises(WeightError, match=r"1 value not finite(.|\n)*inf at \[11, 2, 3\]"):
        keras_h5.load(write_h5(tmp_path / "a.h5", arrays), CONFIG)


def test_quantised(tmp_path: Path):
    arrays = random_arrays() | {QUERY: np.ones((12, 3, 4), np.int8)}
    message = r"quantised model(.|\n)*received: int8\n  expected: float16, bfloat16, float32"
    with pytest.raises(UnsupportedModelError, match=message):
        keras_h5.load(write_h5(tmp_path / "a.h5", arrays), CONFIG)


def test_other_elements(tmp_path: Path):
    arrays = random_arrays() | {QUERY: np.ones((12, 3, 4), np.complex64)}
    with pytest.raises(UnsafeModelError, match="elements of type complex64"):
        keras_h5.load(write_h5(tmp_path / "a.h5", arrays), CONFIG)
    arrays = random_arrays() | {QUERY: np.ones((12, 3, 4), np.uint16).view("V2")}
    with pytest.raises(UnsupportedModelError, match="the weights are not floats"):
        keras_h5.load(write_h5(tmp_path / "a.h5", arrays), CONFIG)


@pytest.mark.parametrize("kept", [9, 300, -1_000, -1])
def test_truncated(path: Path, kept: int):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match=r"the HDF5 file cannot be read\.(.|\n)*OSError"):
        keras_h5.load(path, CONFIG)


def test_not_hdf5(tmp_path: Path):
    (tmp_path / "model.weights.h5").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ModelFileError, match="not an HDF5 file; it looks like a Git LFS pointer"):
        keras_h5.load(tmp_path / "model.weights.h5", CONFIG)


def test_a_file_that_changes_while_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch):
    os.utime(path, ns=(10**18, 10**18))
    collect = keras_h5.collect

    def collect_and_change(*arguments: Any, **options: Any) -> dict[str, np.ndarray]:
        arrays = collect(*arguments, **options)
        os.utime(path)
        return arrays

    monkeypatch.setattr(keras_h5, "collect", collect_and_change)
    with pytest.raises(ModelFileError, match="the file was changed while it was read"):
        keras_h5.load(path, CONFIG)


_WRITER = """
import os, sys, h5py
file = h5py.File(sys.argv[1], "w", libver="latest")
file.flush()
print("open", flush=True)
sys.stdin.read()
os._exit(0)
"""


def test_a_file_that_another_program_writes_to(path: Path, monkeypatch: pytest.MonkeyPatch):
    """While it does, and when it ended without closing the file."""
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    command = [sys.executable, "-c", _WRITER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        with pytest.raises(ModelFileError, match="unable to lock file") as error:
            keras_h5.load(path, CONFIG)
        assert "HDF5_USE_FILE_LOCKING=FALSE" in str(error.value.fix)
        writer.communicate()
    with pytest.raises(ModelFileError, match=r"already open for write(.|\n)*save it again"):
        keras_h5.load(path, CONFIG)


def test_no_handle_is_kept(path: Path, tmp_path: Path):
    keras_h5.load(path, CONFIG)
    with pytest.raises(WeightError):
        keras_h5.load(path, dataclasses.replace(CONFIG, hidden_dim=24))
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == 0


def test_no_memory(path: Path, monkeypatch: pytest.MonkeyPatch):
    def none_left(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(keras_h5, "collect", none_left)
    with pytest.raises(ResourceLimitError, match="asks for more memory than there is"):
        keras_h5.load(path, CONFIG)


def test_from_several_threads(path: Path):
    with ThreadPoolExecutor(4) as pool:
        for loaded in pool.map(lambda _: keras_h5.load(path, CONFIG), range(8)):
            assert_same(loaded, random_arrays())
