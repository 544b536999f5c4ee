"""Every reader gives the dtype that is asked for: the file's bits, or each number rounded once."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from npbert.config import BertConfig
from npbert.dtype_policy import numpy_dtype
from npbert.errors import WeightError
from npbert.weights import hugging_face, keras_h5
from npbert.weights.atomic import replacing
from npbert.weights.dtypes import ITEM_BYTES
from npbert.weights.load_file import load_file, load_matching
from npbert.weights.names import tensors
from npbert.weights.save_h5 import write_h5, write_shards
from npbert.weights.save_safetensors import write_safetensors

from . import model_files
from . import test_int8 as int8
from . import test_legacy_h5 as legacy
from .model_files import CONFIG, assert_same, shard_safetensors

Arrays = dict[str, np.ndarray]
DTYPES = list(ITEM_BYTES)
BIAS = "pooled_dense/bias"


def drawn(dtype: str, config: BertConfig = CONFIG, seed: int = 11) -> Arrays:
    """Numbers that no narrower dtype holds."""
    rng = np.random.default_rng(seed)
    wanted = numpy_dtype(dtype)
    return {t.name: rng.standard_normal(t.shape).astype(wanted) for t in tensors(config)}


# -- one file of each kind, given its arrays and their dtype ---------------------------------------


def one(folder: Path, arrays: Arrays, dtype: str) -> Path:
    write_h5(folder / "a.weights.h5", arrays.items(), CONFIG, name="m", dtype=dtype)
    return folder / "a.weights.h5"


def several(folder: Path, arrays: Arrays, dtype: str) -> Path:
    index, pairs = folder / "a.weights.json", arrays.items()
    with replacing(folder) as files:
        write_shards(files, index, pairs, CONFIG, name="m", dtype=dtype, max_bytes=1400)
    return index


def archive(folder: Path, arrays: Arrays, dtype: str) -> Path:
    with zipfile.ZipFile(folder / "a.keras", "w") as zipped:
        zipped.write(one(folder, arrays, dtype), "model.weights.h5")
    return folder / "a.keras"


def safetensors(folder: Path, arrays: Arrays, dtype: str) -> Path:
    with open(folder / "model.safetensors", "wb") as file:
        write_safetensors(file, arrays.items(), CONFIG, dtype=dtype, pooler=True)
    return folder / "model.safetensors"


def safetensors_in_shards(folder: Path, arrays: Arrays, dtype: str) -> Path:
    bits = {k: a.view(np.uint16) if dtype == "bfloat16" else a for k, a in arrays.items()}
    index = folder / "model.safetensors.index.json"
    return shard_safetensors(model_files.hugging_face(bits), index, 3)


KERAS: dict[str, Callable[[Path, Arrays, str], Path]] = {
    "h5": one,
    "shards": several,
    "archive": archive,
}
HUGGING_FACE = {"safetensors": safetensors, "safetensors in shards": safetensors_in_shards}
FILES = pytest.mark.parametrize("file", DTYPES)
WANTED = pytest.mark.parametrize("wanted", DTYPES)


@FILES
@WANTED
@pytest.mark.parametrize("write", KERAS.values(), ids=KERAS)
def test_of_keras(tmp_path: Path, write, file: str, wanted: str):
    arrays = drawn(file)
    path = write(tmp_path, arrays, file)
    for trust in (True, False):
        assert_same(load_file(path, CONFIG, dtype=wanted, trust=trust), arrays, wanted)
        loaded, skipped = load_matching(path, CONFIG, dtype=wanted, trust=trust)
        assert skipped == {}
        assert_same(loaded, arrays, wanted)


@pytest.mark.parametrize("file", ["float16", "float32", "float64"])
@WANTED
def test_of_keras_before_version_3(tmp_path: Path, file: str, wanted: str):
    arrays = drawn(file)
    path = legacy.write(tmp_path / "a.h5", arrays)
    assert_same(load_file(path, CONFIG, dtype=wanted), arrays, wanted)


@FILES
@WANTED
@pytest.mark.parametrize("write", HUGGING_FACE.values(), ids=HUGGING_FACE)
def test_of_hugging_face(tmp_path: Path, write, file: str, wanted: str):
    arrays = drawn(file)
    path = write(tmp_path, arrays, file)
    assert_same(hugging_face.load(path, CONFIG, dtype=wanted), arrays, wanted)


@WANTED
def test_of_int8(tmp_path: Path, wanted: str):
    """By float32, which is what Keras takes them to mean."""
    path, meant = int8.write(tmp_path / "model.weights.h5")
    for trust in (True, False):
        with pytest.warns(UserWarning, match=int8.WARNING):
            loaded = load_file(path, CONFIG, dtype=wanted, trust=trust)
        assert_same(loaded, meant, wanted)


@pytest.mark.parametrize(
    ("file", "wanted", "value", "received"),
    [
        ("float32", "float16", -65520.0, "65520"),
        ("bfloat16", "float16", 2.0**17, "131072"),
        ("float32", "bfloat16", 3.4e38, "3.4e+38"),
        ("float64", "float32", 1e39, "1e+39"),
    ],
)
def test_too_large(tmp_path: Path, file: str, wanted: str, value: float, received: str):
    arrays = drawn(file)
    arrays[BIAS][3] = value
    for write, load in ((one, load_file), (one, load_matching), (safetensors, hugging_face.load)):
        path = write(tmp_path, arrays, file)
        with pytest.raises(WeightError, match=f"'{BIAS}' has values too large for {wanted}") as e:
            load(path, CONFIG, dtype=wanted)
        assert str(e.value.where).startswith(f"{path}: ")
        assert e.value.received == received
        load(path, CONFIG, dtype=file)
    with pytest.raises(WeightError) as apart:
        load_file(one(tmp_path, arrays, file), CONFIG, dtype=wanted, trust=False)
    assert apart.value.what == e.value.what


@WANTED
def test_integers_taken_for_floats_are_found_before_they_are_rounded_to_zeros(
    tmp_path: Path, wanted: str
):
    arrays = drawn("float32")
    arrays[BIAS] = np.arange(12, dtype=np.int32).view(np.float32)
    path = one(tmp_path, arrays, "float32")
    with pytest.raises(WeightError, match=f"'{BIAS}' has only values next to zero"):
        load_file(path, CONFIG, dtype=wanted)


# L 1, N 3, H 90, S 5, P 7, D 270, F 13, and a table that is nearly all of it
WIDE = BertConfig(
    vocabulary_size=9_000,
    num_layers=1,
    num_heads=3,
    hidden_dim=270,
    intermediate_dim=13,
    max_sequence_length=7,
    num_segments=5,
)


@pytest.mark.parametrize("file", ["float32", "bfloat16"])
@pytest.mark.parametrize("load", [keras_h5.load, hugging_face.load])
def test_no_second_copy_of_the_model(tmp_path: Path, load, file: str):
    """The table in the file's dtype is gone before the next tensor is read."""
    path, pairs = tmp_path / "a", drawn("float32", WIDE).items()
    if load is keras_h5.load:
        write_h5(path, pairs, WIDE, name="m", dtype=file)
    else:
        with open(path, "wb") as opened:
            write_safetensors(opened, pairs, WIDE, dtype=file, pooler=True)
    load(path, WIDE, dtype="bfloat16")  # what is imported once is not counted
    tracemalloc.start()
    try:
        loaded = load(path, WIDE, dtype="bfloat16")
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    weights = sum(array.nbytes for array in loaded.values())
    table = loaded["token_embedding/embeddings"].nbytes
    assert kept < weights + 1_000_000
    assert peak < weights + 1_000_000 + (2 * table if file == "float32" else 0)
