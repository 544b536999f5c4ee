"""Arrays -> Keras's ``model.weights.h5``, or the shards of a ``model.weights.json``.

The same groups, attributes and datasets as Keras writes, those of layers without weights too.

Source: keras/src/saving/saving_lib.py, ``H5IOStore`` and ``ShardedH5IOStore``, and a file written
by Keras Hub 0.32.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from npbert.config import BertConfig
from npbert.errors import ConfigError
from npbert.weights.atomic import Replacement
from npbert.weights.dtypes import ITEM_BYTES, stored_as
from npbert.weights.names import Array, Tensor, tensors
from npbert.weights.sink import Sink

Tensors = Iterable[tuple[str, Array]]
"""Canonical names and arrays, in the order of `weight_shapes`."""

GIB: Final = 1024**3

# Groups that Keras writes for layers without weights: group -> the layer's name.
_INPUTS: Final = ("token_ids", "segment_ids", "padding_mask")
_EMPTY: Final = {
    "/layers/add": "embeddings_add",
    "/layers/dropout": "embeddings_dropout",
    **{f"/layers/input_layer{f'_{i}' if i else ''}": name for i, name in enumerate(_INPUTS)},
}
_EMPTY_IN_LAYER: Final = {
    "": "transformer_layer_{i}",
    "/_feedforward_dropout": "feedforward_dropout",
    "/_self_attention_dropout": "self_attention_dropout",
    "/_self_attention_layer": "self_attention_layer",
    "/_self_attention_layer/_dropout_layer": "dropout{nth}",
    "/_self_attention_layer/_softmax": "softmax{nth}",
}


# Of the optimizer that every task in Keras Hub has, which warns if it does not find them.
_OPTIMIZER: Final = {"0": np.int32(0), "1": np.float32(5e-5)}  # steps done, learning rate


def write_h5(path: Path, weights: Tensors, config: BertConfig, *, name: str, dtype: str) -> None:
    """One file with everything.

    Args:
        path: where; an existing file is overwritten, so give a temporary name.
        weights: all of the model's.
        config: the model's.
        name: what the model is called.
        dtype: one of `ITEM_BYTES`.

    Raises:
        WeightError: a value is too large for ``dtype``.
        OSError: the file could not be written.
    """
    table = {tensor.name: tensor for tensor in tensors(config)}
    with _create(path) as (file, sink):
        for group, layer in _empty_groups(config, name):
            _group(file, group, layer)
        for tensor_name, array in weights:
            _write(file, table[tensor_name], array, dtype)
            sink.check()


def write_head(
    path: Path,
    weights: Mapping[str, Array],
    table: Sequence[Tensor],
    groups: Mapping[str, str],
    *,
    dtype: str,
) -> None:
    """A task's own weights, ``task.weights.h5``.

    Args:
        path, dtype: as in `write_h5`.
        weights: the head's, by canonical name.
        table: what they are called in the file.
        groups: group -> the layer's name, of the task itself and of layers without weights.

    Raises:
        WeightError, OSError: as in `write_h5`.
    """
    with _create(path) as (file, sink):
        for group, layer in groups.items():
            _group(file, group, layer)
        for tensor in table:
            _write(file, tensor, weights[tensor.name], dtype)
            sink.check()
        optimizer = _group(file, "/optimizer", "adam")
        for key, value in _OPTIMIZER.items():
            optimizer.create_dataset(key, data=value)


def write_shards(
    files: Replacement,
    index: Path,
    weights: Tensors,
    config: BertConfig,
    *,
    name: str,
    dtype: str,
    max_bytes: float,
) -> list[Path]:
    """Files of at most ``max_bytes`` of numbers each, and the index that says what is where.

    Args:
        files: takes all of them.
        index: ends in ``.weights.json``; the shards' names begin as its does.
        weights, config, name, dtype: as in `write_h5`.
        max_bytes: of one shard.

    Returns:
        The shards' names.

    Raises:
        ConfigError: a tensor alone is larger than a shard may be.
        WeightError, OSError: as in `write_h5`.
    """
    plan = _plan(config, ITEM_BYTES[dtype], max_bytes)
    stem = index.name.removesuffix(".weights.json")
    paths = [index.with_name(f"{stem}_{i:05}.weights.h5") for i in range(len(plan))]
    weight_map: dict[str, Any] = {}
    pending = iter(weights)
    for i, (path, shard) in enumerate(zip(paths, plan, strict=True)):
        with _create(files.file(path)) as (file, sink):
            for group, layer in _empty_groups(config, name) if i == 0 else ():
                _group(file, group, layer)
            for tensor in shard:
                _write(file, tensor, _next(pending, tensor), dtype)
                sink.check()
                held = weight_map.setdefault(tensor.h5.rpartition("/")[0], [])
                held += [path.name] if path.name not in held else []
    total = sum(_size(tensor, ITEM_BYTES[dtype]) for shard in plan for tensor in shard)
    places = {group: held if len(held) > 1 else held[0] for group, held in weight_map.items()}
    files.json(index, {"metadata": {"total_size": float(total)}, "weight_map": places})
    return paths


def _next(pending: Iterator[tuple[str, Array]], tensor: Tensor) -> Array:
    name, array = next(pending)
    assert name == tensor.name, f"{name} comes where {tensor.name} should"
    return array


def _plan(config: BertConfig, item_bytes: int, max_bytes: float) -> list[list[Tensor]]:
    """Which tensors go into which shard: as many as fit, in order, as Keras does."""
    plan: list[list[Tensor]] = [[]]
    filled = 0
    for tensor in tensors(config):
        size = _size(tensor, item_bytes)
        if size > max_bytes:
            raise ConfigError(
                f"{tensor.name!r} alone is larger than a shard may be.",
                where="max_shard_size",
                received=f"{max_bytes / GIB:g} GiB",
                expected=f"at least {size / GIB:.3g} GiB",
                fix="raise max_shard_size",
            )
        if filled + size > max_bytes:
            plan.append([])
            filled = 0
        plan[-1].append(tensor)
        filled += size
    return plan


def _size(tensor: Tensor, item_bytes: int) -> int:
    return int(np.prod(tensor.shape)) * item_bytes


def _empty_groups(config: BertConfig, name: str) -> Iterator[tuple[str, str]]:
    yield "", name
    yield from _EMPTY.items()
    for i in range(config.num_layers):
        nth = f"_{i}" if i else ""  # Keras numbers repeats from the second one on
        for group, layer in _EMPTY_IN_LAYER.items():
            yield f"/layers/transformer_encoder{nth}{group}", layer.format(i=i, nth=nth)


@contextmanager
def _create(path: Path) -> Iterator[tuple[Any, Sink]]:
    """A new HDF5 file, and what to ask whether all went well so far."""
    h5py: Any = importlib.import_module("h5py")
    with open(path, "w+b", buffering=0) as raw:
        sink = Sink(raw)
        try:
            with h5py.File(sink, "w") as file:
                yield file, sink
        except Exception:
            sink.check()  # the cause, if HDF5 then found nonsense
            raise
        sink.check()


def _group(file: Any, path: str, layer: str) -> Any:
    """``path/vars``, which says what the layer is called; made if it is not there."""
    group = file.require_group(f"{path}/vars")
    group.attrs["name"] = layer
    return group


def _write(file: Any, tensor: Tensor, array: Array, dtype: str) -> None:
    path, _, key = tensor.h5.rpartition("/")
    layer = tensor.name.split("/")[-2]
    group = _group(file, path.removesuffix("/vars"), layer)
    stored = stored_as(array, dtype, tensor.name)
    if dtype == "bfloat16":  # two opaque bytes, and an attribute that says what they are
        group.create_dataset(key, data=stored.view("V2")).attrs["dtype"] = "bfloat16"
    else:
        group.create_dataset(key, data=stored)
