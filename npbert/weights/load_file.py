"""A weights file of any kind that Keras knows, for a model that exists already.

Source: keras/src/saving/saving_api.py, ``load_weights``.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from npbert.config import BertConfig
from npbert.errors import ModelFileError
from npbert.weights import keras_h5, untrusted
from npbert.weights.checks import Place, checked
from npbert.weights.h5_safety import check_float, safe_datasets
from npbert.weights.int8 import warn_of_int8
from npbert.weights.keras_archive import open_weights
from npbert.weights.keras_h5 import Stored
from npbert.weights.keras_layouts import layer_of, table_key
from npbert.weights.names import Array, Tensor, tensors

ENDINGS: Final = (".weights.h5", ".weights.json", ".keras", ".h5", ".hdf5")

# In the archive of a task, the backbone's groups are below this one, beside the head's.
_TASK: Final = re.compile(r"^/layers/bert_backbone(?=/layers/)")


def load_file(
    path: Path,
    config: BertConfig,
    *,
    leave_out_layers: bool = False,
    trust: bool = True,
    dtype: str = "float32",
) -> dict[str, Array]:
    """The weights in ``path``, which must be those of ``config``.

    Args:
        path: the file.
        config, leave_out_layers, trust, dtype: as in `keras_h5.load`.

    Raises:
        ModelFileError: the ending is not one of `ENDINGS`; or as `keras_h5.load`.
        UnsafeModelError, ResourceLimitError, UnsupportedModelError, WeightError: as
            `keras_h5.load`.
    """
    _check_ending(path)
    if path.suffix != ".keras":
        return keras_h5.load(
            path, config, leave_out_layers=leave_out_layers, trust=trust, dtype=dtype
        )
    read = read_archive if trust is True else untrusted.read
    loaded, quantised = read(path, config, leave_out_layers, dtype)
    if quantised:
        warn_of_int8(path)
    return loaded


def read_archive(
    path: Path, config: BertConfig, leave_out_layers: bool, dtype: str
) -> tuple[dict[str, Array], bool]:
    """As `keras_h5.read`, from a ``.keras`` archive."""
    with _stored(path, config) as (h5py, stored):
        if leave_out_layers:
            stored = {k: s for k, s in stored.items() if layer_of(k) < config.num_layers}
        return keras_h5.collect_stored(h5py, stored, path, config, dtype)


def load_matching(
    path: Path, config: BertConfig, *, trust: bool = True, dtype: str = "float32"
) -> tuple[dict[str, Array], dict[str, str]]:
    """What in ``path`` fits ``config``, and why the rest does not: canonical name -> reason.

    Args:
        path: the file.
        config, trust, dtype: as in `keras_h5.load`.

    Raises:
        ModelFileError, UnsafeModelError, ResourceLimitError, UnsupportedModelError: as `load_file`.
        WeightError: a tensor that fits is not finite, next to zero, or too large for ``dtype``.
    """
    _check_ending(path)
    read = read_matching if trust is True else untrusted.read_matching
    return read(path, config, dtype)


def read_matching(
    path: Path, config: BertConfig, dtype: str
) -> tuple[dict[str, Array], dict[str, str]]:
    """As `load_matching`, in this process."""
    loaded: dict[str, Array] = {}
    skipped: dict[str, str] = {}
    with _stored(path, config) as (h5py, stored):
        for tensor in tensors(config):
            reason = _mismatch(stored.get(tensor.h5), tensor)
            if reason:
                skipped[tensor.name] = reason
            else:
                loaded[tensor.name] = _read(h5py, stored[tensor.h5], tensor, dtype)
    return loaded, skipped


def _mismatch(stored: Stored | None, tensor: Tensor) -> str | None:
    if stored is None:
        return "it is not in the file"
    shape = tuple(stored.dataset.shape)
    return None if shape == tensor.shape else f"its shape there is {shape}, not {tensor.shape}"


def _read(h5py: Any, stored: Stored, tensor: Tensor, dtype: str) -> Array:
    check_float(stored.dataset, stored.where)
    place = Place(tensor.name, stored.key, tensor.shape)
    return checked(place, keras_h5.read_floats(h5py, stored), dtype, stored.path)


@contextmanager
def _stored(path: Path, config: BertConfig) -> Generator[tuple[Any, dict[str, Stored]]]:
    """What the file has, by the keys of the table of names; it stays open meanwhile."""
    h5py: Any = importlib.import_module("h5py")
    with keras_h5.LOCK, ExitStack() as files:
        if path.suffix != ".keras":
            yield h5py, keras_h5.find_stored(h5py, files, path, config)
            return
        files.enter_context(keras_h5.errors_of(path))
        file = files.enter_context(open_weights(path, config))
        found = safe_datasets(h5py, file, path, keras_h5.most_nodes(config))
        yield h5py, _of_the_backbone(found, path)


def _of_the_backbone(found: dict[str, Any], path: Path) -> dict[str, Stored]:
    """The backbone's datasets; of a task's archive, those below it alone."""
    datasets = {key: Stored(path, key, dataset) for key, dataset in found.items()}
    if any(_TASK.match(key) for key in found):
        found = {key: value for key, value in found.items() if _TASK.match(key)}
    pairs = [(table_key(_TASK.sub("", key)), key) for key in found]
    return keras_h5.by_table_key(datasets, pairs, path)


def _check_ending(path: Path) -> None:
    if not path.name.endswith(ENDINGS):
        raise ModelFileError(
            f"file format not supported: {path.name}.",
            where="filepath",
            received=path,
            expected=" or ".join(ENDINGS),
            fix="give a weights file that Keras wrote; from_preset reads whole directories",
        )
