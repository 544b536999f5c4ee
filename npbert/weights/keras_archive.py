"""Keras's ``.keras`` archive: a config and weights in one zip, of a backbone or of a task.

Source: keras/src/saving/saving_lib.py, ``_load_model_from_fileobj``. Nothing is extracted, and
nothing that the config names is imported.
"""

from __future__ import annotations

import importlib
import io
import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_STORED, ZipInfo

from npbert.config import BertConfig
from npbert.errors import ConfigError, ModelFileError
from npbert.weights.files import HEAD_BYTES, is_pickle, not_the_format, open_regular
from npbert.weights.names import weight_shapes
from npbert.weights.strict_json import parse_object
from npbert.weights.zip_safety import check_members, unpack, window

_CONFIG: Final = "config.json"
_WEIGHTS: Final = "model.weights.h5"
_MAX_CONFIG_BYTES: Final = 1_000_000
_MEBIBYTE: Final = 1 << 20


class Archive:
    """An open ``.keras`` file. Made by `open_archive`."""

    def __init__(self, file: io.BufferedReader, path: Path, members: dict[str, ZipInfo]) -> None:
        self.path, self._file, self._members = path, file, members

    def config(self) -> dict[str, Any]:
        """The object in config.json, read as data.

        Raises:
            ModelFileError: there is none.
            ConfigError: it is no JSON object.
        """
        text = self.read(_CONFIG, _MAX_CONFIG_BYTES)
        return parse_object(text, where=f"{self.path}: {_CONFIG}", error=ConfigError)

    def read(self, name: str, max_bytes: int) -> bytes:
        """What is in one of the other files.

        Raises:
            ModelFileError: there is none of this name, or its checksum is wrong.
            ResourceLimitError: it has more than ``max_bytes``.
        """
        return unpack(self._file, self._member(name), self.path, max_bytes)

    def weights(self, config: BertConfig) -> io.RawIOBase | io.BytesIO:
        """The HDF5 file inside, in place where it is stored, in memory where it is compressed.

        Args:
            config: what it should hold, which bounds the memory.

        Raises:
            ModelFileError: there is none, or its checksum is wrong.
            ResourceLimitError: it is far larger than the model.
        """
        info = self._member(_WEIGHTS)
        if info.compress_type == ZIP_STORED:
            return window(self._file, info, self.path)
        numbers = sum(math.prod(shape) for shape in weight_shapes(config).values())
        # float64, and an optimizer that keeps two more numbers for each.
        return io.BytesIO(unpack(self._file, info, self.path, 24 * numbers + 64 * _MEBIBYTE))

    def _member(self, name: str) -> ZipInfo:
        if name in self._members:
            return self._members[name]
        raise ModelFileError(
            f"the archive has no {name}.",
            where=self.path,
            received=", ".join(list(self._members)[:10]) or "an empty archive",
            expected=f"{_CONFIG} and {_WEIGHTS}",
            fix="save the model again with Keras",
        )


@contextmanager
def open_archive(path: Path) -> Generator[Archive]:
    """Open a ``.keras`` file once its members have been checked.

    Raises:
        ModelFileError: the file is missing, damaged or no zip.
        UnsafeModelError, ResourceLimitError: see `npbert.weights.zip_safety`.
    """
    with open_regular(path) as file:
        head = file.read(HEAD_BYTES)
        if is_pickle(head) or not head.startswith(b"PK\x03\x04"):
            raise not_the_format(head, path, "a .keras archive")
        yield Archive(file, path, check_members(file, path))


@contextmanager
def open_weights(path: Path, config: BertConfig) -> Generator[Any]:
    """The HDF5 file inside a ``.keras`` file, open.

    Raises:
        ModelFileError, UnsafeModelError, ResourceLimitError: as in `open_archive`.
    """
    h5py: Any = importlib.import_module("h5py")
    with open_archive(path) as archive, h5py.File(archive.weights(config), "r") as file:
        yield file
