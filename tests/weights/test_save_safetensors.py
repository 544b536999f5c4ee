"""Hugging Face's ``model.safetensors``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from npbert.errors import WeightError
from npbert.weights import hugging_face
from npbert.weights.names import tensors
from npbert.weights.save_safetensors import to_hugging_face, write_safetensors

from . import model_files
from .model_files import CONFIG, assert_same, random_arrays

DTYPES = ("float32", "float64", "float16", "bfloat16")
ARRAYS = random_arrays()
BARE = {name: a for name, a in ARRAYS.items() if not name.startswith("pooled_dense/")}


def write(path: Path, arrays: dict[str, np.ndarray], dtype: str = "float32") -> Path:
    with path.open("wb") as file:
        pooler = "pooled_dense/bias" in arrays
        write_safetensors(file, arrays.items(), CONFIG, dtype=dtype, pooler=pooler)
    return path


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("arrays", [ARRAYS, BARE], ids=["whole", "no pooler"])
def test_there_and_back(tmp_path: Path, dtype: str, arrays: dict[str, np.ndarray]):
    path = write(tmp_path / "model.safetensors", arrays, dtype)
    assert_same(hugging_face.load(path, CONFIG), arrays)


def test_the_library_reads_it(tmp_path: Path):
    path = write(tmp_path / "model.safetensors", ARRAYS)
    expected = model_files.hugging_face(ARRAYS)
    found = load_file(path)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, name)
    with safe_open(path, framework="np") as file:
        assert file.metadata() == {"format": "pt"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_data_is_aligned_and_in_order(tmp_path: Path, dtype: str):
    content = write(tmp_path / "model.safetensors", ARRAYS, dtype).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert length % 8 == 0
    assert list(header) == ["__metadata__", *(t.hugging_face for t in tensors(CONFIG))]
    codes = {"float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16"}
    assert {entry["dtype"] for key, entry in header.items() if key[0] != "_"} == {codes[dtype]}


def test_the_layout_is_the_inverse_of_reading():
    for tensor in tensors(CONFIG):
        turned = to_hugging_face(tensor, ARRAYS[tensor.name])
        assert turned.shape == tensor.hugging_face_shape
        np.testing.assert_array_equal(tensor.from_hugging_face(turned), ARRAYS[tensor.name])


def test_a_value_too_large(tmp_path: Path):
    arrays = ARRAYS | {"pooled_dense/bias": np.full(12, 1e5, np.float32)}
    with pytest.raises(WeightError, match="'pooled_dense/bias' has values too large for float16"):
        write(tmp_path / "model.safetensors", arrays, "float16")
