"""Hugging Face's ``model.safetensors`` -> arrays under npbert's names and in Keras's layout.

Source: keras_hub/src/utils/transformers/convert_bert.py, ``convert_weights``; the names BERT
has had in transformers over the years (``bert.`` before every name in models with a head, ``gamma``
and ``beta`` in layer norms converted from TensorFlow).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from npbert.config import BertConfig
from npbert.weights.checks import Place, collect, unique_keys
from npbert.weights.files import open_regular
from npbert.weights.names import Array, tensors
from npbert.weights.safetensors_file import Entry, read_header, read_tensor

# The pretraining heads, and a constant that old versions of transformers saved.
_IGNORED: Final = ("cls.", "embeddings.position_ids")


def load(path: Path, config: BertConfig) -> dict[str, Array]:
    """The weights in ``path``, a safetensors file, in the order of `weight_shapes`.

    A file without pooler, as sentence-transformers sometimes writes, gives no ``pooled_dense/*``.

    Args:
        path: the file.
        config: what it must hold; checked before any data is read.

    Raises:
        ModelFileError: the file is missing, damaged or not safetensors.
        UnsafeModelError: the file is a pickle.
        UnsupportedModelError: the weights are not floats.
        WeightError: a tensor is missing, extra, of the wrong shape, double or not finite.
    """
    with open_regular(path) as file:
        entries = read_header(file, path)
        stored = _by_table_name(entries, path)
        pooler = any(key.startswith("pooler.") for key in stored)
        wanted = {t.hugging_face: t for t in tensors(config, pooler=pooler)}
        places = [Place(t.name, key, t.hugging_face_shape) for key, t in wanted.items()]

        def read(place: Place, entry: Entry) -> Array:
            array = read_tensor(file, entry, place.key, path)
            return wanted[place.key].from_hugging_face(array)

        return collect(places, stored, shape_of=lambda e: e.shape, read=read, where=path)


def _by_table_name(entries: dict[str, Entry], path: Path) -> dict[str, Entry]:
    """The entries under the names of the table, without what BERT's encoder has no use for."""
    keys = unique_keys(((_table_name(name), name) for name in entries), path)
    return {k: entries[name] for k, name in keys.items() if not k.startswith(_IGNORED)}


def _table_name(name: str) -> str:
    name = name.removeprefix("bert.")
    if name.endswith("LayerNorm.gamma"):
        return name.removesuffix("gamma") + "weight"
    if name.endswith("LayerNorm.beta"):
        return name.removesuffix("beta") + "bias"
    return name
