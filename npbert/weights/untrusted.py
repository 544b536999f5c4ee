"""HDF5 files that are not trusted, read by one process of their own with limits.

The HDF5 library is C code, which damaged files have crashed, hung and taken over. With
``trust=False`` this process neither opens the file nor imports h5py: another does (`h5_process`,
`h5_child`). It is started for the first such file and serves the later ones; for each it has

* a time, after which it is killed;
* on Linux, an amount of memory; no other system has a limit that holds.

Both are in proportion to the model. What it answers is not trusted either: names, shapes and the
number of bytes are the config's, values are checked here, texts have a greatest length. So a file
that takes it over changes nothing in this process. But it is no sandbox: it runs as the same user,
and what it then answers for later files may be false.

Memory: the weights once, here; there what a trusted load takes, given back tensor by tensor as they
are sent.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from npbert.config import BertConfig
from npbert.dtype_policy import numpy_dtype
from npbert.errors import (
    ModelFileError,
    NpbertError,
    ResourceLimitError,
    UnsafeModelError,
    UnsupportedModelError,
    WeightError,
)
from npbert.weights.checks import Place, collect
from npbert.weights.dtypes import bytes_of
from npbert.weights.h5_process import Child, Useless, child
from npbert.weights.names import Array, Tensor, weight_shapes

LEAST_SECONDS: Final = 10.0
BYTES_A_SECOND: Final = 10_000_000  # a slow disk
LEAST_MEMORY: Final = 256 << 20
MEMORY_RATIO: Final = 10  # a compressed archive of float64, with an optimizer's two more numbers

_ERRORS: Final[dict[str, type[NpbertError]]] = {
    "ModelFileError": ModelFileError,
    "ResourceLimitError": ResourceLimitError,
    "UnsafeModelError": UnsafeModelError,
    "UnsupportedModelError": UnsupportedModelError,
    "WeightError": WeightError,
}
_NONSENSE: Final = "something else than an answer"

Shapes = dict[str, tuple[int, ...]]


class Answer(NamedTuple):
    """Canonical name -> array; name -> why it was left out; whether any tensor was int8."""

    arrays: dict[str, Array]
    skipped: dict[str, str]
    int8: bool


def read(
    path: Path, config: BertConfig, leave_out_layers: bool, dtype: str
) -> tuple[dict[str, Array], bool]:
    """As `keras_h5.read` and `load_file.read_archive`, and with their errors.

    Raises:
        ModelFileError: besides, the process ended, took too long or answered nonsense.
    """
    request = {"what": "weights", "leave_out_layers": leave_out_layers, "dtype": dtype}
    answer = _load(path, config, request, weight_shapes(config))
    return answer.arrays, answer.int8


def read_matching(
    path: Path, config: BertConfig, dtype: str
) -> tuple[dict[str, Array], dict[str, str]]:
    """As `load_file.read_matching`; errors as in `read`."""
    request = {"what": "matching", "dtype": dtype}
    answer = _load(path, config, request, weight_shapes(config))
    return answer.arrays, answer.skipped


def read_head(
    path: Path, wanted: Sequence[Tensor], config: BertConfig, dtype: str = "float32"
) -> dict[str, Array]:
    """As `heads.load_keras`; errors as in `read`."""
    rows = [dataclasses.astuple(tensor) for tensor in wanted]
    request = {"what": "head", "tensors": rows, "dtype": dtype}
    return _load(path, config, request, {tensor.name: tensor.shape for tensor in wanted}).arrays


def _load(path: Path, config: BertConfig, what: dict[str, Any], shapes: Shapes) -> Answer:
    size = 4 * sum(math.prod(shape) for shape in weight_shapes(config).values())
    seconds = LEAST_SECONDS + size / BYTES_A_SECOND
    request = what | {
        "path": str(path),
        "folder": None if path.is_absolute() else os.getcwd(),
        "config": dataclasses.asdict(config),
        "memory": LEAST_MEMORY + MEMORY_RATIO * size,
        "seconds": seconds,
    }
    with child() as reader:
        try:
            answer = reader.use(seconds, lambda: _ask(reader, request, shapes, path))
        except Useless as error:
            raise ModelFileError(
                "the process that reads files which are not trusted failed at this one.",
                where=path,
                received=error,
                expected="weights, or what is wrong with the file",
                fix="do not use the file; if it is your own, pass trust=True",
            ) from None
    if isinstance(answer, NpbertError):
        raise answer
    return answer


# -- what an answer may be; `h5_child` has its format ----------------------------------------------


def _ask(
    reader: Child, request: dict[str, Any], shapes: Shapes, path: Path
) -> Answer | NpbertError:
    """The answer; an error about the file is returned, for the process is still of use."""
    reader.send(json.dumps(request).encode() + b"\n")
    may_skip = request["what"] == "matching"
    match _head(reader, most=(1 << 18) + (len(shapes) << 9)):
        case {"error": [str(kind), str(what), *details]} if kind in _ERRORS and len(details) == 4:
            return _error(_ERRORS[kind], what, details)
        case {"skipped": dict(skipped), "int8": bool(int8)} if may_skip or not skipped:
            reasons = {name: _plain(skipped[name]) for name in shapes if name in skipped}
            wanted = {name: shapes[name] for name in shapes if name not in skipped}
            return Answer(_arrays(reader, wanted, path, request["dtype"]), reasons, int8)
    raise Useless(_NONSENSE)


def _head(reader: Child, most: int) -> object:
    """The JSON that an answer begins with, of at most so many bytes."""
    size = int.from_bytes(_take(reader, bytearray(4)), "little")
    if size > most:
        raise Useless(_NONSENSE)
    try:
        return json.loads(_take(reader, bytearray(size)))
    except (ValueError, RecursionError):
        raise Useless(_NONSENSE) from None


def _take(reader: Child, buffer: bytearray) -> bytearray:
    reader.fill(memoryview(buffer))
    return buffer


def _arrays(reader: Child, shapes: Shapes, path: Path, dtype: str) -> dict[str, Array]:
    """The values that follow, in arrays of these shapes."""

    def read_next(place: Place, shape: tuple[int, ...]) -> Array:
        array = np.empty(shape, numpy_dtype(dtype))
        reader.fill(bytes_of(array))
        return array

    places = [Place(name, name, shape) for name, shape in shapes.items()]
    return collect(
        places, shapes, shape_of=lambda shape: shape, read=read_next, where=path, dtype=dtype
    )


def _error(kind: type[NpbertError], what: str, details: list[object]) -> NpbertError:
    where, received, expected, fix = (None if d is None else _plain(d) for d in details)
    return kind(_plain(what), where=where, received=received, expected=expected, fix=fix)


def _plain(text: object) -> str:
    """``text`` without what could steer a terminal."""
    if not isinstance(text, str):
        raise Useless(_NONSENSE)
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )
