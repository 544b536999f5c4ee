"""Zips that say a size, a number or a place twice: for readers who look at one of them only."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from npbert.errors import ModelFileError, UnsafeModelError

from .test_zip_safety import CONTENT, changed, check, path, write

__all__ = ["path"]  # the fixture


def test_a_member_that_says_two_sizes(path: Path):
    with zipfile.ZipFile(path, "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(CONTENT)
    with pytest.raises(UnsafeModelError, match="two headers disagree"):
        check(changed(path, lambda c: struct.pack_into("<Q", c, 30 + len("a") + 4, 5)))
    with pytest.raises(UnsafeModelError, match="two headers disagree"):  # none at all
        check(changed(path, lambda c: struct.pack_into("<H", c, 30 + len("a"), 2)))


# -- the end ---------------------------------------------------------------------------------------


def end_twice(content: bytes, **lies: int) -> bytes:
    """With the end that archives beyond 2 GiB have."""
    at = len(content) - 22
    size, start = struct.unpack_from("<LL", content, at + 12)
    true = {"length": 44, "disk": 0, "count": 2, "size": size, "start": start, "locator": at}
    said = true | lies
    counts = (said["disk"], 0, said["count"], 2, said["size"], said["start"])
    record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", said["length"], 45, 45, *counts)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, said["locator"], 1)
    full = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    return content[:at] + record + locator + full


def test_an_archive_beyond_2_gib(path: Path):
    content = write(path, "a", "b").read_bytes()
    path.write_bytes(end_twice(content))
    assert list(check(path)) == ["a", "b"]
    path.write_bytes(end_twice(content)[:-22] + content[-22:])  # numbers that have room
    assert list(check(path)) == ["a", "b"]


@pytest.mark.parametrize("lie", ["length", "disk", "count", "size", "start", "locator"])
def test_an_end_for_large_archives_that_lies(path: Path, lie: str):
    """zipfile looks past some of it, and other readers believe it."""
    path.write_bytes(end_twice(write(path, "a", "b").read_bytes(), **{lie: 1}))
    with pytest.raises((UnsafeModelError, ModelFileError)):
        check(path)


@pytest.mark.parametrize("at", [4, 6, 8, 10], ids=["disk", "first disk", "here", "in all"])
def test_an_end_that_lies(path: Path, at: int):
    write(path, "a", "b")
    with pytest.raises(UnsafeModelError, match="an end that describes another"):
        check(changed(path, lambda c: struct.pack_into("<H", c, len(c) - 22 + at, 1)))
