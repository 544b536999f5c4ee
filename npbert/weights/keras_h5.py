"""Keras's ``model.weights.h5`` -> arrays under npbert's names.

Source: keras/src/saving/saving_lib.py, ``H5IOStore``, and a file written by Keras Hub 0.32. An HDF5
file can point outside itself and can declare far more than it holds; see `h5_safety`.
"""

from __future__ import annotations

import importlib
import re
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np

from npbert.config import BertConfig
from npbert.errors import ModelFileError, NpbertError, ResourceLimitError
from npbert.weights.checks import Place, bfloat16_to_float32, collect, to_float32, unique_keys
from npbert.weights.files import HDF5_MAGIC, HEAD_BYTES, not_the_format, open_regular
from npbert.weights.h5_safety import check_float, check_storage, is_bfloat16, safe_datasets
from npbert.weights.names import Array, tensors

# The HDF5 library is not safe for concurrent use everywhere, and a handle is never kept.
_LOCK: Final = threading.Lock()

# What Keras keeps beside the weights: a compiled model's optimizer, dropout's random state.
_NOT_WEIGHTS: Final = re.compile(r"^/optimizer/|/seed_generator[^/]*/vars/")
# Keras 3.0.0 to 3.0.2 wrote the attention's projections under private names.
_OLD_PROJECTION: Final = re.compile(r"/_(query|key|value|output)_dense/")


def load(path: Path, config: BertConfig) -> dict[str, Array]:
    """The weights in ``path``, an HDF5 file that Keras wrote, in the order of `weight_shapes`.

    Args:
        path: the file.
        config: what it must hold; checked before any data is read.

    Raises:
        ModelFileError: the file is missing, damaged or not HDF5.
        UnsafeModelError: the file points outside itself, or would load code.
        ResourceLimitError: the file declares far more than a BERT has.
        UnsupportedModelError: the weights are not floats.
        WeightError: a tensor is missing, extra, of the wrong shape, double or not finite.
    """
    _check_magic(path)
    h5py: Any = importlib.import_module("h5py")
    with _LOCK:
        try:
            with h5py.File(path, "r", locking="best-effort") as file:
                return _load(h5py, file, path, config)
        except NpbertError:
            raise
        except MemoryError as error:
            raise ResourceLimitError(
                "the file asks for more memory than there is.", where=path, fix="free some memory"
            ) from error
        except Exception as error:
            # Damage shows as OSError, RuntimeError, KeyError, UnicodeDecodeError and others.
            raise ModelFileError(
                "the HDF5 file cannot be read.",
                where=path,
                received=f"{type(error).__name__}: {error}",
                fix="get the file again; it is damaged or incomplete",
            ) from error


def _check_magic(path: Path) -> None:
    with open_regular(path) as file:
        head = file.read(HEAD_BYTES)
    if not head.startswith(HDF5_MAGIC):
        raise not_the_format(head, path, "an HDF5 file")


def _load(h5py: Any, file: Any, path: Path, config: BertConfig) -> dict[str, Array]:
    limit = 10_000 + 100 * config.num_layers  # Keras writes 45 nodes a layer
    found = safe_datasets(h5py, file, path, limit)
    keys = unique_keys(((_OLD_PROJECTION.sub(r"/\1_dense/", key), key) for key in found), path)
    stored = {k: found[key] for k, key in keys.items() if not _NOT_WEIGHTS.search(key)}
    for key, dataset in stored.items():
        check_float(dataset, f"{path}: {key}")
    places = [Place(tensor.name, tensor.h5, tensor.shape) for tensor in tensors(config)]

    def read(place: Place, dataset: Any) -> Array:
        check_storage(h5py, dataset, f"{path}: {place.key}")
        if is_bfloat16(dataset):
            return bfloat16_to_float32(dataset[...].view(np.uint16))
        return to_float32(dataset[...])

    return collect(places, stored, shape_of=lambda d: tuple(d.shape), read=read, where=path)
