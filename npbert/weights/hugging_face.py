"""Hugging Face's ``model.safetensors`` -> arrays under npbert's names and in Keras's layout.

Source: keras_hub/src/utils/transformers/convert_bert.py, ``convert_weights``; the names BERT
has had in transformers over the years (``bert.`` before every name in models with a head, ``gamma``
and ``beta`` in layer norms converted from TensorFlow).
"""

from __future__ import annotations

import io
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from npbert.config import BertConfig
from npbert.weights.checks import Place, collect, unique_keys
from npbert.weights.files import open_regular
from npbert.weights.names import Array, tensors
from npbert.weights.safetensors_file import Entry, read_header, read_tensor
from npbert.weights.shards import read_index

# The pretraining heads, and a constant that old versions of transformers saved.
_IGNORED: Final = ("cls.", "embeddings.position_ids")
_ENCODER: Final = ("embeddings.", "encoder.", "pooler.")
_LAYER: Final = re.compile(r"encoder\.layer\.(\d{1,6})\.")


class Stored(NamedTuple):
    """One tensor, the open file it is in and its entry in the header."""

    file: io.BufferedReader
    path: Path
    entry: Entry


def load(
    path: Path, config: BertConfig, *, leave_out_layers: bool = False, dtype: str = "float32"
) -> dict[str, Array]:
    """The weights in ``path``, in the order of `weight_shapes`.

    A file without pooler, as sentence-transformers sometimes writes, gives no ``pooled_dense/*``.
    Where the encoder's names begin with ``bert.``, what is beside it is a head, and left out.

    Args:
        path: a safetensors file, or the index (``.json``) of several.
        config: what it must hold; checked before any data is read.
        leave_out_layers: whether layers past the config's ``num_layers`` may be left out.
        dtype: of the arrays; see `npbert.weights.dtypes`.

    Raises:
        ModelFileError: a file is missing, damaged, changing or not safetensors.
        UnsafeModelError: a file is a pickle, or a shard is outside the directory.
        UnsupportedModelError: the weights are not floats.
        WeightError: a tensor is missing, extra, of the wrong shape, double, not finite or too large
            for ``dtype``.
    """
    with ExitStack() as files:
        stored = _by_table_name(open_stored(files, path), path)
        if leave_out_layers:
            stored = {k: s for k, s in stored.items() if _layer_of(k) < config.num_layers}
        pooler = any(key.startswith("pooler.") for key in stored)
        wanted = {t.hugging_face: t for t in tensors(config, pooler=pooler)}
        places = [Place(t.name, key, t.hugging_face_shape) for key, t in wanted.items()]

        def read(place: Place, each: Stored) -> Array:
            array = read_tensor(each.file, each.entry, place.key, each.path)
            return wanted[place.key].from_hugging_face(array)

        return collect(
            places, stored, shape_of=lambda s: s.entry.shape, read=read, where=path, dtype=dtype
        )


def open_stored(files: ExitStack, path: Path) -> dict[str, Stored]:
    """What the file or the shards hold, by its name there; all stay open."""
    if path.suffix != ".json":
        return _open(files, path)
    index = read_index(path, lists=False)
    shards = {name: _open(files, shard) for name, shard in index.shards.items()}
    index.check(shards)  # each name in one file alone, so that nothing below replaces anything
    return {key: stored for shard in shards.values() for key, stored in shard.items()}


def _open(files: ExitStack, path: Path) -> dict[str, Stored]:
    file = files.enter_context(open_regular(path))
    return {name: Stored(file, path, entry) for name, entry in read_header(file, path).items()}


def _by_table_name(stored: dict[str, Stored], path: Path) -> dict[str, Stored]:
    """What is stored under the names of the table, without what the encoder has no use for."""
    prefixed = any(name.startswith("bert.") for name in stored)
    beginnings = ("bert.", *_ENCODER) if prefixed else ("",)
    names = [name for name in stored if name.startswith(beginnings)]
    keys = unique_keys(((table_name(name), name) for name in names), path)
    return {k: stored[name] for k, name in keys.items() if not k.startswith(_IGNORED)}


def table_name(name: str) -> str:
    """The name that the table has for a tensor, without prefix and by its last name today."""
    name = name.removeprefix("bert.")
    if name.endswith("LayerNorm.gamma"):
        return name.removesuffix("gamma") + "weight"
    if name.endswith("LayerNorm.beta"):
        return name.removesuffix("beta") + "bias"
    return name


def _layer_of(name: str) -> int:
    """Which encoder layer a tensor belongs to; -1 for the others."""
    match = _LAYER.match(name)
    return int(match[1]) if match else -1
