"""The process that reads HDF5 files which are not trusted; `npbert.weights.untrusted` starts it.

It says that it is `READY`, and then answers requests until its stdin ends. A request is a line of
JSON, made by `untrusted`. An answer is a head and, unless that is an error, the values:

    4 bytes, how long the head is (little-endian)
    {"error": [class, what, where, received, expected, fix]}
    or {"skipped": {name: reason}, "int8": whether any tensor was}
    values of every tensor not skipped, in the order of `weight_shapes` and the request's dtype
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO, Final

from npbert.config import BertConfig
from npbert.errors import NpbertError
from npbert.weights import heads, keras_h5, load_file
from npbert.weights.dtypes import bytes_of
from npbert.weights.names import Array, Tensor

READY: Final = b"+"
MAX_PIECE: Final = 2_000
"""Characters of one piece of an error; the rest is cut off."""

_PATIENCE: Final = 5  # seconds after which the parent, which waits no longer, must be gone


def serve() -> None:
    """Answer until the parent is gone."""
    importlib.import_module("h5py")
    limits = Limits()
    answers = sys.stdout.buffer
    answers.write(READY)
    answers.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        limits.set(request["memory"], request["seconds"])
        _send(answers, *answer(request))
        limits.lift()


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
    """The head, and the arrays whose values follow it."""
    if request["folder"]:
        os.chdir(request["folder"])
    path, config = Path(request["path"]), BertConfig.from_dict(request["config"])
    try:
        with keras_h5.errors_of(path):
            return _read(request, path, config)
    except NpbertError as error:
        pieces = (error.what, error.where, error.received, error.expected, error.fix)
        texts = [None if piece is None else str(piece)[:MAX_PIECE] for piece in pieces]
        return {"error": [type(error).__name__, *texts]}, []


def _read(
    request: dict[str, Any], path: Path, config: BertConfig
) -> tuple[dict[str, Any], list[Array]]:
    skipped: dict[str, str] = {}
    int8, dtype = False, request["dtype"]
    if request["what"] == "weights":
        read = load_file.read_archive if path.suffix == ".keras" else keras_h5.read
        loaded, int8 = read(path, config, request["leave_out_layers"], dtype)
    elif request["what"] == "matching":
        loaded, skipped = load_file.read_matching(path, config, dtype)
    else:
        # JSON has made the shapes lists.
        rows = [(n, tuple(s), h, f, tuple(fs)) for n, s, h, f, fs in request["tensors"]]
        loaded = heads.load_keras(path, [Tensor(*row) for row in rows], config, dtype)
    return {"skipped": skipped, "int8": int8}, list(loaded.values())


def _send(to: BinaryIO, head: dict[str, Any], arrays: list[Array]) -> None:
    text = json.dumps(head).encode()
    to.write(len(text).to_bytes(4, "little") + text)
    while arrays:  # each goes once it is sent: the parent has as much more by then
        to.write(bytes_of(arrays.pop(0)))
    to.flush()


class Limits:
    """How much memory and time this process may take for one file.

    Memory is limited on Linux, on top of what the imports took; time is for a parent that ended
    while this one could not see it, wherever there is ``SIGALRM``.
    """

    def __init__(self) -> None:
        self._size = _address_space()
        if sys.platform != "win32":
            import resource

            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            self._inherited = resource.getrlimit(resource.RLIMIT_AS)

    def set(self, memory: int, seconds: float) -> None:
        """Allow so many bytes more than at the start, and so many seconds."""
        if self._size and sys.platform != "win32":
            import resource

            soft, hard = self._inherited
            most = self._size + memory
            most = most if soft == resource.RLIM_INFINITY else min(most, soft)
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        if hasattr(signal, "alarm"):
            signal.alarm(int(seconds) + _PATIENCE)

    def lift(self) -> None:
        """Wait for the next request as long as it takes."""
        if hasattr(signal, "alarm"):
            signal.alarm(0)


def _address_space() -> int:
    """Bytes of this process's address space; 0 where that is not known."""
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
