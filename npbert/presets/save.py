"""A model -> files that Keras Hub loads: a preset directory, a weights file, a ``.keras`` archive.

Source: keras_hub/src/utils/preset_utils.py, ``KerasPresetSaver``; keras/src/saving/saving_lib.py,
``save_model``.
"""

from __future__ import annotations

import datetime
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from npbert.config import BertConfig
from npbert.dtype_policy import DTypePolicy
from npbert.errors import NpbertError
from npbert.presets.savable import (
    Model,
    check_ending,
    check_folder,
    check_lossy,
    check_pooler,
    check_shard_size,
    saved_dtype,
    saved_policy,
)
from npbert.weights.atomic import Replacement, atomic_write, replacing, replacing_file
from npbert.weights.dtypes import ITEM_BYTES
from npbert.weights.save_h5 import write_h5, write_shards
from npbert.weights.shards import read_index

MAX_SHARD_SIZE: Final = 10.0
"""GiB of weights in one file, as in Keras Hub: no BERT that was ever published has as many."""

Asset = bytes | Callable[[Path], None]
"""One more file: what is in it, or what writes it, given a path."""

_OURS: Final = ("activation", "layer_norm_epsilon")
# The versions whose layout this is; old readers want to be told.
_VERSIONS: Final = {"keras_version": "3.15.1", "keras_hub_version": "0.32.0"}
_TASKS: Final = ["MaskedLM", "TextClassifier", "TextEmbedder"]


def keras_settings(config: BertConfig, name: str, policy: str) -> dict[str, Any]:
    """``get_config()`` of Keras Hub's class: its keys in its order, nothing of npbert's."""
    fields = {key: value for key, value in config.to_dict().items() if key not in _OURS}
    return {"name": name, "trainable": True, "dtype": DTypePolicy(policy).serialized(), **fields}


def save_preset(
    folder: Path,
    model: Model,
    *,
    dtype: str | None = None,
    max_shard_size: float | None = MAX_SHARD_SIZE,
    allow_lossy: bool = False,
    assets: Mapping[str, Asset] | None = None,
) -> None:
    """A preset directory: config.json, metadata.json and the weights, replaced together.

    Args:
        folder: made if there is none. Other files in it stay.
        model: what to save.
        dtype: of the numbers in the file; None is what the model keeps its weights in. Another
            dtype than that is also what config.json says the model computes in.
        max_shard_size: GiB; larger models get several weights files.
        allow_lossy: save a model that Keras would compute otherwise.
        assets: more files, by their path in the folder.

    Raises:
        ConfigError: Keras's format cannot hold the model, or the files could not be written.
        WeightError: a value is too large for ``dtype``.
    """
    dtype = saved_dtype(model, dtype)
    limit = check_shard_size(max_shard_size)
    lossy = check_lossy(model, folder, allow_lossy)
    check_folder(folder, "registered_name", "a Keras preset")
    size = model.parameters() * ITEM_BYTES[dtype]
    with replacing(folder) as files:
        files.folder(folder)
        add_assets(files, folder, assets)
        if limit is not None and size > limit:
            _shards(files, folder / "model.weights.json", model, dtype, limit)
            files.remove(folder / "model.weights.h5")  # which readers would prefer
        else:
            path = folder / "model.weights.h5"
            write_h5(files.file(path), model.weights, model.config, name=model.name, dtype=dtype)
            _remove_shards(files, folder / "model.weights.json", keep=[])
        files.json(folder / "metadata.json", _metadata(model, lossy))
        files.json(folder / "config.json", keras_object(model, dtype))


def save_weights(
    path: Path,
    model: Model,
    *,
    dtype: str | None = None,
    max_shard_size: float | None = None,
) -> None:
    """The weights alone: one ``.weights.h5``, or shards and their ``.weights.json``.

    Args:
        path: what it ends in must fit ``max_shard_size``.
        model, dtype: as in `save_preset`.
        max_shard_size: GiB; None writes one file.

    Raises:
        ConfigError, WeightError: as in `save_preset`; or ``path`` has the wrong ending.
    """
    dtype = saved_dtype(model, dtype)
    limit = check_shard_size(max_shard_size)
    check_ending(path, ".weights.h5" if limit is None else ".weights.json")
    check_pooler(model, path)
    if limit is not None:
        with replacing(path) as files:
            _shards(files, path, model, dtype, limit)
        return
    with replacing_file(path) as temporary:
        write_h5(temporary, model.weights, model.config, name=model.name, dtype=dtype)


def save_archive(
    path: Path, model: Model, *, dtype: str | None = None, allow_lossy: bool = False
) -> None:
    """A ``.keras`` archive: a zip of config.json, metadata.json and model.weights.h5, stored.

    Args:
        path: ends in ``.keras``.
        model, dtype, allow_lossy: as in `save_preset`.

    Raises:
        ConfigError, WeightError: as in `save_preset`; or ``path`` has the wrong ending.
    """
    dtype = saved_dtype(model, dtype)
    check_ending(path, ".keras")
    lossy = check_lossy(model, path, allow_lossy)
    metadata = _metadata(model, lossy)
    with replacing(path) as files, atomic_write(path) as file:
        weights = files.scratch(path.resolve().parent)
        write_h5(weights, model.weights, model.config, name=model.name, dtype=dtype)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("metadata.json", json.dumps(metadata))
            archive.writestr("config.json", json.dumps(keras_object(model, dtype)))
            archive.write(weights, "model.weights.h5")


def add_assets(files: Replacement, folder: Path, assets: Mapping[str, Asset] | None) -> None:
    """More files of a directory, by their path in it."""
    for name, content in (assets or {}).items():
        path = folder / name
        files.folder(path.parent)
        if isinstance(content, bytes):
            files.file(path).write_bytes(content)
        else:
            content(files.file(path))


# -- what is written -------------------------------------------------------------------------------


def _shards(files: Replacement, index: Path, model: Model, dtype: str, limit: float) -> None:
    paths = write_shards(
        files, index, model.weights, model.config, name=model.name, dtype=dtype, max_bytes=limit
    )
    _remove_shards(files, index, keep=[index, *paths])


def _remove_shards(files: Replacement, index: Path, keep: list[Path]) -> None:
    """Remove an old index and the shards that it names, as nothing will name them any more."""
    if not index.is_file():
        return
    try:
        old = [index, *read_index(index, lists=True).shards.values()]
    except NpbertError:
        old = [index]  # not one that could be loaded
    for path in old:
        if path not in keep:
            files.remove(path)


def keras_object(model: Model, dtype: str) -> dict[str, Any]:
    """The backbone as Keras serialises it, its numbers being saved as ``dtype``."""
    return {
        "module": "keras_hub.src.models.bert.bert_backbone",
        "class_name": "BertBackbone",
        "config": keras_settings(model.config, model.name, saved_policy(model, dtype)),
        "registered_name": "keras_hub>BertBackbone",
    }


def _metadata(model: Model, lossy: dict[str, Any]) -> dict[str, Any]:
    """What Keras Hub writes, and what it would not know: read by people, by no loader."""
    return {
        **_VERSIONS,
        "parameter_count": model.parameters(),
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        "tasks": _TASKS,
        "written_by": "npbert",
        **({"lost": lossy} if lossy else {}),
    }
