"""The rows of an output that is not whole yet: a run that was killed goes on from them.

Records are appended to ``OUTPUT.partial``, each with a checksum, and synced now and then. What a
killed process, a full disk or a power cut leaves behind the last whole record is cut off.

A record is the length of its row (4 bytes), the CRC-32 of what follows, the row as JSON, and the
vector. The first holds the stamp instead of a row, and no vector.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from npbert.cli.sources import Row
from npbert.cli.stamp import Stamp, check_same
from npbert.errors import ConfigError, InputError, ModelFileError

F32 = NDArray[np.float32]

_HEAD: Final = struct.Struct("<II")
_AGAIN: Final = "go on without --resume, after deleting it, or with the settings it was begun with"


class Unfinished:
    """Rows with their vectors, on disk. A context manager; leaving it keeps the file.

    Args:
        output: what the whole output will be called.
        stamp: of this run.
        dimension: D, the length of a vector.
        resume: go on from what is there.

    Raises:
        ConfigError: there is an unfinished run and ``resume`` is False, or another process is at
            it, or the system refuses to write.
        InputError: what is there has another stamp.
        ModelFileError: what is there is something else.
    """

    def __init__(self, output: Path, stamp: Stamp, dimension: int, *, resume: bool) -> None:
        self.path = output.with_name(f"{output.name}.partial")
        self._bytes = 4 * dimension
        self._file: BinaryIO = open(self.path, "a+b")  # noqa: SIM115 -- closed on leaving
        try:
            self._lock()
            if not resume and os.fstat(self._file.fileno()).st_size:
                raise ConfigError(
                    "there is an unfinished run of this output.",
                    where=self.path,
                    fix="pass --resume to go on with it, or delete the file to begin again",
                )
            self._begin(dict(stamp))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not POSIX
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                "another process is writing this output.",
                where=self.path,
                fix="wait for it to end, or choose another output",
            ) from None
        except OSError:  # a file system without locks
            return

    def _begin(self, stamp: dict[str, Any]) -> None:
        first = _packed(stamp, b"")
        self._file.seek(0)
        found = self._record(0)
        if found is not None:
            check_same(found[0], stamp, self.path, _AGAIN)
        elif os.fstat(self._file.fileno()).st_size > len(first):
            raise ModelFileError(
                "its first record is damaged, or npbert did not write it.",
                where=self.path,
                fix="delete it to begin again",
            )
        else:  # nothing, or what a kill left of the first record
            self._file.truncate(0)
            self._file.write(first)
            self._file.flush()
        self._rows_start = self._file.tell()

    def rows(self) -> Iterator[tuple[Row, F32]]:
        """The whole records, in order. After the last, what is behind it is cut off."""
        self._file.flush()
        self._file.seek(self._rows_start)
        end = self._rows_start
        while (record := self._record(self._bytes)) is not None:
            end = self._file.tell()
            value, vector = record
            yield Row(*value), np.frombuffer(vector, np.float32)
        self._file.truncate(end)
        self._file.seek(end)

    def _record(self, vector_bytes: int) -> tuple[Any, bytes] | None:
        """The next record, None where it is not whole."""
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        length, checksum = _HEAD.unpack(head)
        if not length:  # zeros, as a power cut leaves them, have a valid checksum
            return None
        body = self._file.read(length + vector_bytes)
        if len(body) < length + vector_bytes or zlib.crc32(body) != checksum:
            return None
        return json.loads(body[:length]), body[length:]

    def skip(self, source: Iterator[Row]) -> int:
        """Pass over the rows of the input that are done; how many they are.

        Raises:
            InputError: the input is not the one that the run was begun with.
        """
        done = 0
        for row, _ in self.rows():
            if next(source, None) != row:
                raise InputError(
                    "the input has changed since the run was begun.",
                    where=f"{self.path}, row {done + 1}",
                    expected=f"{row.text!r:.60}",
                    fix="delete the file to begin again; --reuse takes what has not changed",
                )
            done += 1
        return done

    def append(self, rows: list[Row], vectors: Iterable[F32]) -> None:
        """Put rows and their (D,) vectors on disk."""
        pairs = zip(rows, vectors, strict=True)
        self._file.write(b"".join(_packed(list(row), vector.tobytes()) for row, vector in pairs))
        self._file.flush()
        os.fsync(self._file.fileno())

    def discard(self) -> None:
        """Remove the file: the output is whole."""
        self.path.unlink(missing_ok=True)


def _packed(value: object, vector: bytes) -> bytes:
    text = json.dumps(value, ensure_ascii=False).encode()
    return _HEAD.pack(len(text), zlib.crc32(text + vector)) + text + vector
