"""Opening a model file: regular files only, unchanged until they are read, named when wrong."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from npbert.errors import ModelFileError, NpbertError, UnsafeModelError

HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
HEAD_BYTES: Final = 512

_AGAIN: Final = "download the file again"
_LOOKS_LIKE: Final = (
    (b"version https://git-lfs", "a Git LFS pointer", "run `git lfs pull` to get the file itself"),
    (b"<!doctype", "an HTML page", _AGAIN + "; the server sent a web page in its place"),
    (b"<html", "an HTML page", _AGAIN + "; the server sent a web page in its place"),
    (b"<?xml", "an XML page", _AGAIN + "; the server sent an error in its place"),
    (HDF5_MAGIC, "an HDF5 file", "Keras's weights belong in model.weights.h5"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"\x93numpy", "a NumPy array", "convert it to safetensors"),
    (b"gguf", "a GGUF file", "convert it to safetensors"),
    (b"pk\x03\x04", "a zip archive", "unpack it first"),
)
_KINDS: Final = (
    (stat.S_ISDIR, "directory"),
    (stat.S_ISFIFO, "fifo"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


@contextmanager
def open_regular(path: Path) -> Generator[io.BufferedReader]:
    """Open a regular, non-empty file for reading; nothing else is opened, so nothing blocks.

    Raises:
        ModelFileError: the file is missing, unreadable, empty, or a directory, FIFO or device; or,
            when the reading is done, it is no longer the file that was opened.
    """
    try:
        before = os.stat(path)
        _require_regular(path, before)
        # Between the two calls the file could become a FIFO: never wait for one, look again.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        file = open(os.open(path, flags), "rb")  # noqa: SIM115
    except NpbertError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from None
    with file:
        status = os.fstat(file.fileno())
        _require_regular(path, status)
        if status.st_size == 0:
            raise ModelFileError("the file is empty (0 bytes).", where=path, fix=_AGAIN)
        yield file
        _require_unchanged(path, before)


def read_whole(
    path: Path,
    max_bytes: int,
    *,
    error: type[NpbertError] = ModelFileError,
    fix: str = "check that it is the right file",
) -> bytes:
    """The content of a file that may have at most ``max_bytes``.

    Raises:
        ModelFileError: as for `open_regular`.
        NpbertError: of the class ``error``, with ``fix``, when the file is larger.
    """
    with open_regular(path) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise error(f"the file is larger than {max_bytes:,} bytes.", where=path, fix=fix)
    return content


def _require_unchanged(path: Path, before: os.stat_result) -> None:
    """What was read is of one moment: same file, same size, not written to since."""
    try:
        after = _identity(os.stat(path))
    except OSError:
        after = None
    if after != _identity(before):
        raise ModelFileError(
            "the file was changed while it was read.",
            where=path,
            received="another size, time or file than when it was opened"
            if after
            else "the file is gone",
            fix="load the model again when nothing writes to it",
        )


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _require_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kind = next((kind for test, kind in _KINDS if test(status.st_mode)), "unknown")
    raise ModelFileError(
        "not a regular file.",
        where=path,
        received=kind,
        expected="a file",
        fix="give the directory that holds the model's files",
    )


def _unreadable(path: Path, error: Exception) -> ModelFileError:
    if isinstance(error, FileNotFoundError):
        return ModelFileError("the file does not exist.", where=path, fix="check the path")
    return ModelFileError(
        "the file cannot be opened.",
        where=path,
        received=getattr(error, "strerror", None) or error,
        fix="check the path and its permissions",
    )


def not_the_format(head: bytes, path: Path, expected: str) -> NpbertError:
    """The error for a file that is not what its name says, naming what it looks like.

    Args:
        head: its first `HEAD_BYTES`.
        path: the file.
        expected: the format it should have, such as ``"an HDF5 file"``.
    """
    if is_pickle(head):
        return UnsafeModelError(
            "this is a pickle, which can run code when it is read.",
            where=path,
            expected=expected,
            fix="convert the model to safetensors",
        )
    start = head.lstrip().lower()
    for magic, kind, fix in _LOOKS_LIKE:
        if start.startswith(magic.lower()):
            return ModelFileError(
                f"not {expected}; it looks like {kind}.", where=path, expected=expected, fix=fix
            )
    return ModelFileError(
        f"not {expected}.", where=path, received=f"{head[:16]!r}...", expected=expected, fix=_AGAIN
    )


def is_pickle(head: bytes) -> bool:
    """Whether a file that begins so can run code when Python's pickle reads it."""
    # Protocols 2 to 5 begin so. torch.save writes a zip whose first member is NAME/data.pkl, and
    # numpy.save pickles an array of objects behind its header, in a .npz too.
    plain = head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    torch = head.startswith(b"PK\x03\x04") and b"data.pkl" in head
    return plain or torch or (b"\x93NUMPY" in head and b"'|O'" in head)
