"""Arrays in a ``.npz`` file, as ``numpy.savez`` writes it: the least that a port has to do.

Names are those of `npbert.reference`, or an alias of `npbert.stages`. The three inputs
beside them (``token_ids``, ``segment_ids``, ``padding_mask``, or as Hugging Face calls them) make
the file a record; ``weights.PATH`` are tensors under Keras Hub's variable paths. Python objects are
never unpickled.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from npbert.errors import ModelFileError, UnsafeModelError
from npbert.parity.sources.base import Base
from npbert.parity.sources.named import check_batch, sort_out
from npbert.parity.types import Array, Inputs, Stages
from npbert.weights.files import HEAD_BYTES, not_the_format, open_regular


class NpzSource(Base):
    """Arrays that were computed elsewhere.

    Args:
        arrays: by name; see the module.
        name: as the user wrote it.

    Raises:
        ConfigError, InputTypeError: see `npbert.parity.sources.named.sort_out`.
    """

    kind = "npz"

    def __init__(self, arrays: Mapping[str, Any], name: str = "npz") -> None:
        self._arrays = sort_out(arrays, name)
        super().__init__(name, recorded=self._arrays.inputs)
        if self.recorded is None:
            self.notes.append(
                f"{name} does not say what inputs it is of; they are taken to be these"
            )

    def weights(self) -> Mapping[str, Array] | None:
        return self._arrays.weights or None

    def run(self, inputs: Inputs) -> Stages:
        self.check_recorded(inputs)
        stages = self._arrays.stages
        check_batch(stages, inputs, self.name)
        return {name: array for name, array in stages.items() if not name.startswith("text.")}

    def encode(self, texts: Sequence[str]) -> Stages | None:
        stages = self._arrays.stages
        found = {name: array for name, array in stages.items() if name.startswith("text.")}
        return found if all(len(array) == len(texts) for array in found.values()) else None

    def unnamed(self, inputs: Inputs) -> Stages:
        return self._arrays.others


def open_source(rest: str, name: str) -> NpzSource:
    """``FILE``"""
    return NpzSource(read(Path(rest)), name)


def read(path: Path) -> dict[str, Array]:
    """Every array of a ``.npz`` file.

    Raises:
        ModelFileError: it is missing, damaged, or something else.
        UnsafeModelError: it is a pickle, or has one in it.
    """
    with open_regular(path) as file:
        head = file.read(HEAD_BYTES)
        if not head.startswith(b"PK\x03\x04"):
            raise not_the_format(head, path, "a .npz archive of arrays")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {name: _array(archive, name, path) for name in archive.files}
        except (zipfile.BadZipFile, OSError, EOFError, KeyError) as error:
            raise _damaged(path, error) from error


def _array(archive: Any, name: str, path: Path) -> Array:
    try:
        array: Any = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise _damaged(path, f"{name}: {error}") from error
        raise UnsafeModelError(
            "an array holds Python objects, which can run code when they are read.",
            where=f"{path}: {name}",
            expected="numbers",
            fix="save it again with a dtype of numbers",
        ) from None
    if not isinstance(array, np.ndarray):  # the raw bytes of a member that is no array
        raise _damaged(path, f"{name} is no array")
    return array


def _damaged(path: Path, error: object) -> ModelFileError:
    return ModelFileError(
        "the archive is damaged.",
        where=path,
        received=error,
        fix="write it again with numpy.savez",
    )
