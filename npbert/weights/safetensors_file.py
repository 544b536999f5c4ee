"""The safetensors format: the rules of its header, and one tensor at a time.

Source: the format's specification and its reference reader (safetensors/src/tensor.rs). Stricter
than that reader in what a model never needs: duplicate names, a padded start, long or unprintable
names, a header past 4 MB.

    8 bytes   N, little-endian
    N bytes   JSON: {name: {"dtype": ..., "shape": [...], "data_offsets": [begin, end]}, ...}
    the rest  the tensors, back to back in offset order, little-endian, C order
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard, cast

import numpy as np
import numpy.typing as npt

from npbert.dtype_policy import numpy_dtype
from npbert.errors import ModelFileError, UnsupportedModelError
from npbert.weights.dtypes import bytes_of
from npbert.weights.files import HEAD_BYTES, not_the_format
from npbert.weights.names import Array
from npbert.weights.strict_json import parse_object

MAX_HEADER_BYTES: Final = 4_000_000
MAX_TENSORS: Final = 10_000
MAX_NAME_LENGTH: Final = 512

_AGAIN: Final = "download the file again; it is damaged or incomplete"
_ITEM_BYTES: Final = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
}
# bfloat16 as its bits: only where there is such a tensor is ml_dtypes needed.
_FLOATS: Final = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8"}


class Entry(NamedTuple):
    """One tensor of the header; ``begin`` and ``end`` are bytes from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(file: io.BufferedReader, path: Path) -> dict[str, Entry]:
    """The tensors of an open safetensors file, every rule of the header checked.

    Raises:
        ModelFileError: the file is not safetensors, or breaks a rule of the format.
        UnsafeModelError: the file is a pickle.
    """
    size = os.fstat(file.fileno()).st_size
    head = file.read(HEAD_BYTES)
    _check_head(head, size, path)
    length = int.from_bytes(head[:8], "little")
    file.seek(8)
    header = parse_object(file.read(length), where=path, error=ModelFileError)
    _check_metadata(header.pop("__metadata__", {}), path)
    if len(header) > MAX_TENSORS:
        raise _damaged(path, "too many tensors.", len(header), f"at most {MAX_TENSORS}")
    entries = {name: _entry(name, value, 8 + length, path) for name, value in header.items()}
    _check_layout(entries, 8 + length, size, path)
    return entries


def read_tensor(file: io.BufferedReader, entry: Entry, name: str, path: Path) -> Array:
    """One tensor as a new array, in the dtype and the shape that the file gives it.

    Raises:
        UnsupportedModelError: its dtype is not a float of 16, 32 or 64 bits.
        ModelFileError: the file became shorter while it was read.
    """
    if entry.dtype not in _FLOATS:
        raise UnsupportedModelError(
            f"unsupported dtype {entry.dtype} for {name!r}.",
            where=path,
            received=entry.dtype,
            expected=", ".join(_FLOATS),
            fix="use the model's float version; quantised weights are not read",
        )
    array: npt.NDArray[Any] = np.empty(entry.shape, _FLOATS[entry.dtype])
    file.seek(entry.begin)
    # Straight into the array: no second copy, aligned whatever the offset in the file.
    read = file.readinto(bytes_of(array))
    if read != array.nbytes:
        raise _damaged(path, "the file became shorter while it was read.")
    return array.view(numpy_dtype("bfloat16")) if entry.dtype == "BF16" else array


def _check_head(head: bytes, size: int, path: Path) -> None:
    if head[8:9] != b"{" and len(head) >= 9:
        raise not_the_format(head, path, "a safetensors file")
    if len(head) < 8:
        raise _damaged(path, "the header is too small.", f"{size} bytes", "at least 8 bytes")
    length = int.from_bytes(head[:8], "little")
    limit = min(MAX_HEADER_BYTES, size - 8)
    if not 2 <= length <= limit:
        what = f"header length {length} exceeds what the file can hold."
        raise _damaged(path, what, f"a file of {size} bytes", f"2 to {limit} bytes of header")


def _check_metadata(metadata: object, path: Path) -> None:
    texts = all(isinstance(value, str) for value in _fields(metadata).values())
    if not (isinstance(metadata, dict) and texts):
        raise _damaged(path, "__metadata__ is not a map from string to string.")


def _entry(name: str, value: object, data: int, path: Path) -> Entry:
    """One entry of the header, its types, size and dtype checked; ``data`` is where data begins."""
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        what = f"a tensor's name is unprintable or longer than {MAX_NAME_LENGTH}."
        raise _damaged(path, what, _brief(name))
    where = f"{path}: {name}"
    fields = _fields(value)
    if set(fields) != {"dtype", "shape", "data_offsets"}:
        expected = "dtype, shape and data_offsets"
        raise _damaged(where, "a tensor's entry is malformed.", _brief(value), expected)
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _ITEM_BYTES:
        raise _damaged(where, "unknown dtype.", _brief(dtype), ", ".join(_ITEM_BYTES))
    if not _are_sizes(shape):
        raise _damaged(where, "the shape is not a list of sizes.", _brief(shape), "integers >= 0")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _damaged(where, "data_offsets are malformed.", _brief(offsets), "[begin, end]")
    received, needed = offsets[1] - offsets[0], math.prod(shape) * _ITEM_BYTES[dtype]
    if received != needed:
        expected = f"{needed} bytes for {dtype} {_brief(shape)}"
        raise _damaged(where, "shape and bytes disagree.", f"{received} bytes", expected)
    return Entry(dtype, tuple(shape), data + offsets[0], data + offsets[1])


def _check_layout(entries: dict[str, Entry], data: int, size: int, path: Path) -> None:
    """The tensors fill the data without hole or overlap: nothing hides, nothing is missing."""
    position = data
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position or entry.end > size:
            what = f"tensor {name!r} is not where the one before it ends, or passes the file's end."
            received = f"bytes [{entry.begin}, {entry.end}) of a file of {size}"
            raise _damaged(path, what, received, f"a tensor from byte {position}")
        position = entry.end
    if position != size:
        what = "the file is longer than its tensors."
        raise _damaged(path, what, f"{size} bytes", f"{position} bytes")


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _are_sizes(value: object) -> TypeGuard[list[int]]:
    if not isinstance(value, list):
        return False
    # type() rather than isinstance: True is an int to Python.
    return all(type(size) is int and size >= 0 for size in cast("list[object]", value))


def _damaged(
    where: object, what: str, received: object = None, expected: object = None
) -> ModelFileError:
    return ModelFileError(what, where=where, received=received, expected=expected, fix=_AGAIN)


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
