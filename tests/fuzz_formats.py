"""The formats that `fuzz` damages: a good file of each, and how reading one must end.

In an `NpbertError`, or in all the tensors of the config with the values that the file's bytes now
say, as the libraries h5py and safetensors read them; and with ``trust=False`` in the same.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from weights import model_files
from weights import test_int8 as int8
from weights import test_legacy_h5 as legacy
from weights.model_files import CONFIG, random_arrays

from npbert import BertBackbone
from npbert.errors import NpbertError
from npbert.presets import load_preset
from npbert.weights import hugging_face, keras_h5, save_h5, weight_shapes
from npbert.weights.names import Tensor, tensors

Arrays = dict[str, np.ndarray]


def make(folder: Path) -> dict[str, Path]:
    """A good file of every format."""
    arrays = random_arrays()
    named = model_files.hugging_face(arrays)
    h5 = model_files.write_h5(folder / "model.weights.h5", arrays)
    archive = folder / "model.keras"
    BertBackbone.from_weights(CONFIG, arrays, num_threads=1).save(archive)
    (folder / "shards").mkdir()
    index = folder / "shards" / "model.safetensors.index.json"
    return {
        "safetensors": model_files.write_safetensors(folder / "model.safetensors", named),
        "safetensors_index": model_files.shard_safetensors(named, index, 3),
        "h5": h5,
        "h5_index": model_files.shard_h5(h5, folder / "shards" / "model.weights.json", 3),
        "bfloat16": _narrow(folder / "bfloat16.weights.h5", arrays),
        "int8": int8.write(folder / "int8.weights.h5")[0],
        "legacy": legacy.write(folder / "legacy.h5", arrays, suffix=":0"),
        "legacy_model": legacy.write(
            folder / "legacy_model.h5", arrays, root="/model_weights", suffix=":0", cut=2
        ),
        "keras": archive,
    }


def _narrow(path: Path, arrays: Arrays) -> Path:
    save_h5.write_h5(path, arrays.items(), CONFIG, name="m", dtype="bfloat16")
    return path


# -- reading, by npbert and by others --------------------------------------------------------------


def _load_safetensors(path: Path, *, trust: bool) -> Arrays:
    return hugging_face.load(path, CONFIG)


def _load_h5(path: Path, *, trust: bool) -> Arrays:
    return keras_h5.load(path, CONFIG, trust=trust)


def _load_keras(path: Path, *, trust: bool) -> Arrays:
    weights = load_preset(path, trust=trust, dtype="float32").weights
    assert weights is not None
    return weights


LOAD: dict[str, Callable[..., Arrays]] = {
    "safetensors": _load_safetensors,
    "safetensors_index": _load_safetensors,
    "h5": _load_h5,
    "h5_index": _load_h5,
    "bfloat16": _load_h5,
    "int8": _load_h5,
    "legacy": _load_h5,
    "legacy_model": _load_h5,
    "keras": _load_keras,
}


def _by_safetensors(path: Path) -> Arrays:
    from safetensors.numpy import load_file

    stored = {name.removeprefix("bert."): array for name, array in load_file(path).items()}
    return {
        t.name: t.from_hugging_face(stored[t.hugging_face])
        for t in tensors(CONFIG)
        if t.hugging_face in stored
    }


def _by_h5py(file: Any, key: Callable[[Tensor], str] = lambda tensor: tensor.h5) -> Arrays:
    with h5py.File(file) as opened:
        return {t.name: opened[key(t)][...] for t in tensors(CONFIG)}


def _old_key(tensor: Tensor, root: str) -> str:
    return f"{root}/{tensor.name.partition('/')[0]}/{tensor.name}:0"


def _widened(path: Path) -> Arrays:
    """bfloat16 is the upper half of a float32."""
    arrays = _by_h5py(path)
    for name, array in arrays.items():
        if array.dtype.str == "|V2":
            bits = array.view(np.uint16).astype(np.uint32)
            arrays[name] = (bits << 16).view(np.float32)
    return arrays


def _dequantised(path: Path) -> Arrays:
    arrays = _by_h5py(path)
    with h5py.File(path) as opened:
        for tensor in tensors(CONFIG):
            values = arrays[tensor.name]
            if values.dtype == np.int8:
                table = tensor.name.endswith("/embeddings")
                scale = opened[f"{tensor.h5.removesuffix('0')}{1 if table else 2}"][...]
                scale = scale.astype(np.float32).reshape(_scaled(tensor.name, values.shape))
                arrays[tensor.name] = values.astype(np.float32) / scale
    return arrays


def _scaled(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """One scale for each row of a table, else for each output."""
    if name.endswith("/embeddings"):
        return (-1, 1)
    return shape[-1:] if name.endswith("attention_output/kernel") else shape[1:]


def _by_zipfile(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        return _by_h5py(io.BytesIO(archive.read("model.weights.h5")))


def _as_made(path: Path) -> Arrays:
    """An index holds no values: they must be those of the good files."""
    return random_arrays()


READ: dict[str, Callable[[Path], Arrays]] = {
    "safetensors": _by_safetensors,
    "safetensors_index": _as_made,
    "h5": _by_h5py,
    "h5_index": _as_made,
    "bfloat16": _widened,
    "int8": _dequantised,
    "legacy": partial(_by_h5py, key=partial(_old_key, root="")),
    "legacy_model": partial(_by_h5py, key=partial(_old_key, root="/model_weights")),
    "keras": _by_zipfile,
}


# -- how it ends -----------------------------------------------------------------------------------


def outcome(kind: str, path: Path, distrust: bool = False) -> str:
    """How reading ended: "error", "loaded", or what was wrong.

    Args:
        kind: the format, a key of `LOAD`.
        path: the file, damaged or not.
        distrust: whether to read it once more with ``trust=False``.
    """
    try:
        ended = _attempt(kind, path, trust=True)
        again = _attempt(kind, path, trust=False) if distrust else ended
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    if not _same(ended, again):
        return f"with trust=False it ended otherwise: {again!s:.200}"
    if isinstance(ended, NpbertError):
        return "error" if ended.what and ended.fix else f"an error without advice: {ended}"
    return _wrong(ended, READ[kind](path)) or "loaded"


def _attempt(kind: str, path: Path, *, trust: bool) -> Arrays | NpbertError:
    try:
        return LOAD[kind](path, trust=trust)
    except NpbertError as error:
        return error


def _same(a: Arrays | NpbertError, b: Arrays | NpbertError) -> bool:
    if isinstance(a, NpbertError) or isinstance(b, NpbertError):
        return type(a) is type(b)  # what is wrong is said otherwise when memory is short
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def _wrong(loaded: Arrays, expected: Arrays) -> str | None:
    shapes = weight_shapes(CONFIG, pooler="pooled_dense/kernel" in loaded)
    if {name: array.shape for name, array in loaded.items()} != shapes:
        return "other tensors than the config's"
    for name, array in loaded.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            return f"{name} is not finite float32"
        if not np.array_equal(array, expected[name].astype(np.float32)):
            return f"{name} has other values than the file"
    return None
