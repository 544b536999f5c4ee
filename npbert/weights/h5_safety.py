"""What an HDF5 file may contain before npbert reads from it.

An HDF5 file can name other files (links, external storage, virtual datasets), name code to load
(filters), and declare arrays that it does not hold. Each has been used to attack model loaders:
CVE-2026-1669 read host files through external storage, CVE-2026-0897 asked for terabytes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

from npbert.errors import (
    ModelFileError,
    NpbertError,
    ResourceLimitError,
    UnsafeModelError,
    UnsupportedModelError,
)

MAX_DEPTH: Final = 32

_MEBIBYTE: Final = 1 << 20
_RATIO: Final = 100  # float weights compress by a tenth, not a hundredfold
_FILTERS: Final = {1: "deflate", 2: "shuffle", 3: "fletcher32"}  # built into HDF5 itself
_AGAIN: Final = "save the model again with Keras"


def safe_datasets(h5py: Any, root: Any, path: Path, limit: int) -> dict[str, Any]:
    """Every dataset below ``root`` by its path, once all that could reach outside is ruled out.

    Args:
        h5py: the module.
        root: the open file.
        path: where it is, for messages.
        limit: how many groups and datasets the file may have.

    Raises:
        UnsafeModelError: a link, a dataset or a type that reaches outside the file.
        ResourceLimitError: more than ``limit`` nodes, or nesting deeper than `MAX_DEPTH`.
    """
    found: dict[str, Any] = {}
    pending: list[tuple[str, Any]] = [("", root)]
    nodes = 0
    while pending:
        prefix, group = pending.pop()
        nodes += len(group)
        _check_size(prefix, nodes, limit, path)
        for name in group:
            key = f"{prefix}/{name}"
            node = _follow(h5py, group, name, f"{path}: {key}")
            if isinstance(node, h5py.Group):
                pending.append((key, node))
            else:
                found[key] = node
    return found


def check_float(dataset: Any, where: str) -> None:
    """Refuse what is not a float of 16, 32 or 64 bits, the integers of a quantised model first.

    Raises:
        UnsupportedModelError: integers, or floats of another width.
    """
    dtype = dataset.dtype
    if (dtype.kind == "f" and dtype.itemsize <= 8) or is_bfloat16(dataset):
        return
    quantised = dtype.kind in "iub"
    raise UnsupportedModelError(
        "the weights are those of a quantised model."
        if quantised
        else "the weights are not floats.",
        where=where,
        received=dtype,
        expected="float16, bfloat16, float32 or float64",
        fix="use the model's float version",
    )


def is_bfloat16(dataset: Any) -> bool:
    """Whether Keras wrote bfloat16: two opaque bytes, and an attribute for their dtype.

    Keras stores no other dtype so. The attribute is not read: a string of no fixed length is in one
    of HDF5's global heaps, and HDF5 2.0 and older never finish reading a damaged one.
    """
    return dataset.dtype.str == "|V2" and "dtype" in dataset.attrs


def check_storage(h5py: Any, dataset: Any, where: str) -> None:
    """The file holds the data that the dataset declares, in pieces of a sane size.

    HDF5 reads data that was never written as zeros, without a word.

    Raises:
        ModelFileError: data is missing.
        ResourceLimitError: the data would unpack to far more than the file holds.
    """
    stored, declared = dataset.id.get_storage_size(), dataset.nbytes
    if dataset.chunks is None:
        complete = stored == declared
    else:
        chunk_counts = map(lambda n, c: -(-n // c), dataset.shape, dataset.chunks)
        complete = dataset.id.get_num_chunks() == math.prod(chunk_counts)
    if not complete:
        raise ModelFileError(
            "the file does not hold all the data it declares.",
            where=where,
            received=f"{stored} bytes",
            expected=f"{declared} bytes",
            fix=_AGAIN,
        )
    chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if max(declared, chunk) > max(_RATIO * stored, _MEBIBYTE):
        raise _too_much(where, f"{stored} bytes that unpack to {max(declared, chunk)}")


def _follow(h5py: Any, group: Any, name: str, where: str) -> Any:
    """The group or dataset ``name``, reached by a hard link and safe to look at."""
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise _unsafe(type(link).__name__, where)
    node = group[name]
    if isinstance(node, h5py.Group):
        return node
    if not isinstance(node, h5py.Dataset):
        raise _unsafe("a committed datatype", where)
    _check_dataset(h5py, node, where)
    return node


def _check_dataset(h5py: Any, dataset: Any, where: str) -> None:
    plist = dataset.id.get_create_plist()
    if plist.get_external_count():
        raise _unsafe("external storage", where)
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        raise _unsafe("a virtual dataset", where)
    for index in range(plist.get_nfilters()):
        code = plist.get_filter(index)[0]
        if code not in _FILTERS:
            raise _unsafe(f"filter {code}, whose code HDF5 would load", where)
    kind = dataset.id.get_type().get_class()
    if kind in (h5py.h5t.REFERENCE, h5py.h5t.VLEN, h5py.h5t.COMPOUND, h5py.h5t.STRING):
        raise _unsafe(f"elements of type {dataset.dtype}", where)


def _check_size(prefix: str, nodes: int, limit: int, path: Path) -> None:
    if prefix.count("/") > MAX_DEPTH:
        raise _too_much(f"{path}: {prefix[:80]}", f"nesting deeper than {MAX_DEPTH}")
    if nodes > limit:
        raise _too_much(path, f"more than {limit} groups and datasets")


def _too_much(where: object, received: str) -> NpbertError:
    return ResourceLimitError(
        "the file declares far more than a BERT has.", where=where, received=received, fix=_AGAIN
    )


def _unsafe(received: str, where: str) -> NpbertError:
    return UnsafeModelError(
        "the HDF5 file reaches outside its own arrays.",
        where=where,
        received=received,
        expected="plain arrays of floats, stored in the file",
        fix=f"do not use this file; {_AGAIN}",
    )
