"""HDF5's local heaps, where a group keeps the names of what it holds: whether their lists end.

A heap's free space is a list, each piece of which says where the next one is. HDF5 2.0 and older
follow a list that comes back to itself for ever, and keep each step: gigabytes in seconds.

Source: HDF5 File Format Specification, III.D "Disk Format: Level 1D - Local Heaps";
``H5HL__fl_deserialize`` in HDF5's src/H5HLcache.c.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np

from npbert.errors import ModelFileError, ResourceLimitError

_SIGNATURE: Final = np.frombuffer(b"HEAP\0\0\0\0", "<u8")  # with version 0; HDF5 aligns heaps so
_LAST: Final = 1  # in place of the offset of one more piece
_AGAIN: Final = "save the model again with Keras"


def check_heaps(file: io.BufferedReader, path: Path, limit: int) -> None:
    """Refuse a file with a heap whose free space has no end.

    Args:
        file: the HDF5 file, which is read from its beginning.
        path: where it is, for messages.
        limit: how many groups the file may have.

    Raises:
        ModelFileError: a list of free space is damaged.
        ResourceLimitError: more than ``limit`` heaps.
    """
    starts = _starts(file)
    if len(starts) > limit:
        raise ResourceLimitError(
            "the file declares far more than a BERT has.",
            where=path,
            received=f"more than {limit} groups",
            fix=_AGAIN,
        )
    for start in starts:
        if not _ends(file, start):
            raise ModelFileError(
                "the HDF5 file is damaged.",
                where=f"{path}: the heap at byte {start}",
                received="a list of free space without an end",
                fix=_AGAIN,
            )


def _starts(file: io.BufferedReader) -> list[int]:
    """Where the heaps are."""
    words = np.empty(1 << 17, "<u8")
    found: list[int] = []
    file.seek(0)
    start = 0
    while size := file.readinto(words.data.cast("B")):
        found += (start + 8 * np.flatnonzero(words[: size // 8] == _SIGNATURE)).tolist()
        start += size
    return found


def _ends(file: io.BufferedReader, start: int) -> bool:
    """Whether a heap's list comes to its end, or leads outside, which HDF5 refuses."""
    end = file.seek(0, io.SEEK_END)
    size, piece, data = _numbers(file, start + 8, 3)
    seen: set[int] = set()
    while piece != _LAST and piece + 16 <= size and data + piece + 16 <= end:
        if piece in seen:
            return False
        seen.add(piece)
        piece = _numbers(file, data + piece, 1)[0]
    return True


def _numbers(file: io.BufferedReader, start: int, count: int) -> list[int]:
    """So many numbers of 8 bytes; past the end of the file they are 0."""
    file.seek(start)
    content = file.read(8 * count).ljust(8 * count, b"\0")
    return np.frombuffer(content, "<u8").tolist()
