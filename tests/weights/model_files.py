"""Tiny model files for the tests: a config whose sizes all differ, its arrays, and both formats."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from safetensors.numpy import load_file

from npbert.config import BertConfig
from npbert.dtype_policy import numpy_dtype
from npbert.weights.names import tensors

PRESETS = Path(__file__).resolve().parents[2] / "golden" / "presets"
"""Directories that Keras Hub and transformers wrote, each with a bundle of what was put in."""

# L 2, N 3, H 4, S 5, P 7, V 11, D 12, F 13
CONFIG = BertConfig(
    vocabulary_size=11,
    num_layers=2,
    num_heads=3,
    hidden_dim=12,
    intermediate_dim=13,
    max_sequence_length=7,
    num_segments=5,
)
DTYPES = {"float32": "F32", "float16": "F16", "float64": "F64", "uint16": "BF16", "int64": "I64"}


def random_arrays(config: BertConfig = CONFIG, seed: int = 7) -> dict[str, np.ndarray]:
    """Canonical name -> float32 array, every element exact in float16 and bfloat16."""
    rng = np.random.default_rng(seed)
    return {
        t.name: rng.integers(-127, 128, t.shape).astype(np.float32) / 64 for t in tensors(config)
    }


def golden(name: str) -> tuple[BertConfig, dict[str, np.ndarray]]:
    """The config and the weights that the bundle beside a golden directory says went into it."""
    config = BertConfig(**json.loads((PRESETS / f"{name}.json").read_text())["config"])
    stored = load_file(PRESETS / f"{name}.safetensors")
    weights = {k.removeprefix("weights."): a for k, a in stored.items() if k.startswith("weights.")}
    return config, weights


def write_h5(path: Path, arrays: dict[str, np.ndarray], config: BertConfig = CONFIG) -> Path:
    """A file in Keras's layout; any array in ``arrays`` may have another dtype or shape."""
    with h5py.File(path, "w") as file:
        for tensor in tensors(config):
            if tensor.name in arrays:
                file[tensor.h5] = arrays[tensor.name]
        file.create_group("/layers/dropout/vars")
    return path


def hugging_face(
    arrays: dict[str, np.ndarray],
    config: BertConfig = CONFIG,
    prefix: str = "",
    norm: tuple[str, str] = ("weight", "bias"),
) -> dict[str, np.ndarray]:
    """``arrays`` under Hugging Face's names and in its layout: torch's Linear is (out, in)."""
    named: dict[str, np.ndarray] = {}
    for tensor in tensors(config):
        array, name = arrays[tensor.name], tensor.hugging_face
        if tensor.name.endswith("attention_output/kernel"):
            array = array.reshape(-1, config.hidden_dim).T
        elif tensor.name.endswith("/kernel"):
            array = array.reshape(array.shape[0], -1).T
        elif array.ndim == 2 and tensor.name.endswith("/bias"):
            array = array.reshape(-1)
        if "LayerNorm" in name:
            name = name.replace("weight", norm[0]).replace("bias", norm[1])
        named[prefix + name] = np.ascontiguousarray(array)
    return named


def safetensors_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """A valid safetensors file; uint16 arrays are declared as bfloat16."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in arrays.items():
        offsets = [len(data), len(data) + array.nbytes]
        dtype = DTYPES[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    return with_header(json.dumps(header).encode(), data)


def with_header(header: bytes, data: bytes = b"") -> bytes:
    """A safetensors file with this very header."""
    return len(header).to_bytes(8, "little") + header + data


def write_safetensors(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    path.write_bytes(safetensors_bytes(arrays))
    return path


def assert_same(
    loaded: dict[str, np.ndarray], expected: dict[str, np.ndarray], dtype: str = "float32"
) -> None:
    """Equal bits, once rounded to ``dtype``, and arrays a caller may keep and write to."""
    assert loaded.keys() == expected.keys()
    for name, array in loaded.items():
        assert array.dtype == numpy_dtype(dtype), name
        assert array.dtype.isnative, name
        assert array.flags.c_contiguous, name
        assert array.flags.writeable, name
        assert array.tobytes() == expected[name].astype(numpy_dtype(dtype)).tobytes(), name


def shard_h5(whole: Path, index: Path, shards: int) -> Path:
    """``whole`` as Keras would shard it: dataset after dataset, each layer's where it falls."""
    names = [f"model_{i:05}.weights.h5" for i in range(shards)]
    places: dict[str, list[str]] = {}
    with h5py.File(whole) as source, ExitStack() as files:
        parts = [files.enter_context(h5py.File(index.parent / name, "w")) for name in names]
        found: list[str] = []
        source.visititems(lambda k, node: found.append(k) if hasattr(node, "shape") else None)
        for i, key in enumerate(found):
            shard = i * shards // len(found)
            source.copy(source[key], parts[shard], name=f"/{key}")
            group = places.setdefault("/" + key.rpartition("/")[0], [])
            group += [names[shard]] * (names[shard] not in group)
    # A string where one file has it all, a list where several do.
    weight_map = {key: files[0] if len(files) == 1 else files for key, files in places.items()}
    metadata = {"total_size": whole.stat().st_size}
    index.write_text(json.dumps({"metadata": metadata, "weight_map": weight_map}))
    return index


def shard_safetensors(named: dict[str, np.ndarray], index: Path, shards: int) -> Path:
    """``named`` in several files and their index, as transformers saves it."""
    weight_map: dict[str, str] = {}
    for i in range(shards):
        name = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = {key: named[key] for key in list(named)[i::shards]}
        write_safetensors(index.parent / name, part)
        weight_map |= dict.fromkeys(part, name)
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index


def change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Let ``change`` edit the object in a JSON file."""
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    return path


def quantise(
    arrays: dict[str, np.ndarray], names: Collection[str], config: BertConfig = CONFIG
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Some tensors as Keras's int8: (all tensors for `write_h5`, scales by h5 key, what they mean).

    As ``abs_max_quantize``: 127 over the largest magnitude, along all axes but the outputs'.
    """
    stored, scales, meant = dict(arrays), {}, dict(arrays)
    for tensor in tensors(config):
        if tensor.name not in names:
            continue
        array, table = arrays[tensor.name], tensor.name.endswith("/embeddings")
        output = tensor.name.endswith("attention_output/kernel")
        axes = (-1,) if table else (0, 1) if output else (0,)
        scale = np.float32(127) / (np.abs(array).max(axes, keepdims=True) + np.float32(1e-7))
        stored[tensor.name] = np.round(array * scale).astype(np.int8)
        meant[tensor.name] = stored[tensor.name].astype(np.float32) / scale
        # An EinsumDense keeps (1, 1, N, H) or (1, 1, D), the others a vector.
        shape = scale.shape if array.ndim == 3 else (-1,)
        lead = (1,) if array.ndim == 3 and not output else ()
        key = f"{tensor.h5.removesuffix('/0')}/{1 if table else 2}"
        scales[key] = scale.reshape(*lead, *shape)
    return stored, scales, meant
