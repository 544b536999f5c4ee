"""Keras's ``model.weights.h5`` -> arrays under npbert's names; sharded and legacy files too.

Source: keras/src/saving/saving_lib.py, ``H5IOStore`` and ``ShardedH5IOStore``, and files written
by Keras Hub 0.32. An HDF5 file can point outside itself and can declare far more than it holds;
see `h5_safety`.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from npbert.config import BertConfig
from npbert.dtype_policy import numpy_dtype
from npbert.errors import ModelFileError, NpbertError, ResourceLimitError
from npbert.weights import untrusted
from npbert.weights.checks import Place, collect, unique_keys
from npbert.weights.files import HDF5_MAGIC, HEAD_BYTES, not_the_format, open_regular
from npbert.weights.h5_heaps import check_heaps
from npbert.weights.h5_safety import check_float, check_storage, is_bfloat16, safe_datasets
from npbert.weights.int8 import dequantise, take_scales, warn_of_int8
from npbert.weights.keras_layouts import is_weight, layer_of, table_key
from npbert.weights.legacy_h5 import legacy_keys
from npbert.weights.names import Array, tensors
from npbert.weights.shards import read_index

# The HDF5 library is not safe for concurrent use everywhere, and a handle is never kept.
LOCK: Final = threading.Lock()
# Of a file that a program writes to; the second also of one that a program died over.
_LOCKED: Final = ("unable to lock file", "file is already open for write")
_UNLOCK: Final = (
    "close the file in the program that writes to it, or save it again if that has died;"
    " HDF5_USE_FILE_LOCKING=FALSE in the environment does without locks"
)


class Stored(NamedTuple):
    """One dataset, the file it is in and its name there."""

    path: Path
    key: str
    dataset: Any

    @property
    def where(self) -> str:
        return f"{self.path}: {self.key}"


def load(
    path: Path,
    config: BertConfig,
    *,
    leave_out_layers: bool = False,
    trust: bool = True,
    dtype: str = "float32",
) -> dict[str, Array]:
    """The weights in ``path``, in the order of `weight_shapes`.

    int8 weights become floats, with a warning that says so.

    Args:
        path: an HDF5 file that Keras wrote, or the index (``.json``) of several.
        config: what it must hold; checked before any data is read.
        leave_out_layers: whether layers past the config's ``num_layers`` may be left out.
        trust: False has another process read the file; see `npbert.weights.untrusted`.
        dtype: of the arrays; see `npbert.weights.dtypes`.

    Raises:
        ModelFileError: a file is missing, damaged, changing or not HDF5.
        UnsafeModelError: a file points outside itself or would load code, or a shard is elsewhere.
        ResourceLimitError: a file declares far more than a BERT has.
        UnsupportedModelError: the weights are neither floats nor Keras's int8.
        WeightError: a tensor is missing, extra, of the wrong shape, double, not finite or too large
            for ``dtype``.
    """
    # Whatever is not True itself, such as "no", is taken for distrust.
    read_file = read if trust is True else untrusted.read
    loaded, quantised = read_file(path, config, leave_out_layers, dtype)
    if quantised:
        warn_of_int8(path)
    return loaded


def read(
    path: Path, config: BertConfig, leave_out_layers: bool, dtype: str
) -> tuple[dict[str, Array], bool]:
    """As `load`, in this process and without the warning: the arrays, and whether any was int8."""
    h5py: Any = importlib.import_module("h5py")
    with LOCK, ExitStack() as files:
        stored = find_stored(h5py, files, path, config)
        if leave_out_layers:
            stored = {k: s for k, s in stored.items() if layer_of(k) < config.num_layers}
        return collect_stored(h5py, stored, path, config, dtype)


def collect_stored(
    h5py: Any, stored: dict[str, Stored], path: Path, config: BertConfig, dtype: str
) -> tuple[dict[str, Array], bool]:
    """The arrays, and whether any of them was int8."""
    wanted = {tensor.h5: tensor for tensor in tensors(config)}
    scales = take_scales(stored, wanted.values(), is_int8=_is_int8, shape_of=_shape, where=path)
    floats = [each for key, each in stored.items() if key not in scales]
    for each in [*floats, *scales.values()]:
        check_float(each.dataset, each.where)

    def read(place: Place, each: Stored) -> Array:
        if place.key not in scales:
            return read_floats(h5py, each)
        values = _read(h5py, each)
        return dequantise(values, read_floats(h5py, scales[place.key]), wanted[place.key])

    places = [Place(tensor.name, key, tensor.shape) for key, tensor in wanted.items()]
    arrays = collect(places, stored, shape_of=_shape, read=read, where=path, dtype=dtype)
    return arrays, bool(scales)


# -- reading one dataset ---------------------------------------------------------------------------


def read_floats(h5py: Any, stored: Stored) -> Array:
    array: Array = _read(h5py, stored)
    return array.view(numpy_dtype("bfloat16")) if is_bfloat16(stored.dataset) else array


def _read(h5py: Any, stored: Stored) -> Any:
    with errors_of(stored.path):
        check_storage(h5py, stored.dataset, stored.where)
        return stored.dataset[...]


def _is_int8(stored: Stored) -> bool:
    return bool(stored.dataset.dtype == np.int8)


def _shape(stored: Stored) -> tuple[int, ...]:
    return tuple(stored.dataset.shape)


# -- finding the datasets --------------------------------------------------------------------------


def find_stored(h5py: Any, files: ExitStack, path: Path, config: BertConfig) -> dict[str, Stored]:
    """What the file or the shards hold, by the keys of the table; all stay open."""
    if path.suffix == ".json":
        return _sharded(h5py, files, path, config)
    file, found = files.enter_context(open_datasets(h5py, path, config))
    datasets = {key: Stored(path, key, dataset) for key, dataset in found.items()}
    pairs = legacy_keys(file, found, config)
    return by_table_key(datasets, pairs or [(table_key(key), key) for key in found], path)


def _sharded(h5py: Any, files: ExitStack, path: Path, config: BertConfig) -> dict[str, Stored]:
    index = read_index(path, lists=True)
    datasets: dict[str, Stored] = {}
    held: dict[str, set[str]] = {}
    for name, shard in index.shards.items():
        _, found = files.enter_context(open_datasets(h5py, shard, config))
        held[name] = {key.rpartition("/")[0] for key in found}
        datasets |= {f"{name}: {key}": Stored(shard, key, found[key]) for key in found}
    index.check(held)
    pairs = [(table_key(each.key), written) for written, each in datasets.items()]
    return by_table_key(datasets, pairs, path)


def by_table_key(
    datasets: Mapping[str, Stored], pairs: Iterable[tuple[str, str]], path: Path
) -> dict[str, Stored]:
    keys = unique_keys(pairs, path)
    return {key: datasets[written] for key, written in keys.items() if is_weight(key)}


@contextmanager
def open_datasets(
    h5py: Any, path: Path, config: BertConfig
) -> Generator[tuple[Any, dict[str, Any]]]:
    """An HDF5 file and its datasets by their path, once nothing in it reaches outside."""
    with open_regular(path) as plain:
        head = plain.read(HEAD_BYTES)
        if not head.startswith(HDF5_MAGIC):
            raise not_the_format(head, path, "an HDF5 file")
        with errors_of(path):
            check_heaps(plain, path, most_nodes(config))
            with h5py.File(path, "r", locking="best-effort") as file:
                yield file, safe_datasets(h5py, file, path, most_nodes(config))


def most_nodes(config: BertConfig) -> int:
    """How many groups and datasets a file of such a model may have: Keras writes 45 a layer."""
    return 10_000 + 100 * config.num_layers


@contextmanager
def errors_of(path: Path) -> Generator[None]:
    """Turn what h5py raises into npbert's errors."""
    try:
        yield
    except NpbertError:
        raise
    except MemoryError as error:
        raise ResourceLimitError(
            "the file asks for more memory than there is.", where=path, fix="free some memory"
        ) from error
    except Exception as error:
        # Damage shows as OSError, RuntimeError, KeyError, UnicodeDecodeError and others.
        locked = any(words in str(error) for words in _LOCKED)
        raise ModelFileError(
            "the HDF5 file cannot be read.",
            where=path,
            received=f"{type(error).__name__}: {error}",
            fix=_UNLOCK if locked else "get the file again; it is damaged or incomplete",
        ) from error
