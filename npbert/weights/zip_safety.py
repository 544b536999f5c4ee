"""A zip whose members can be read where they lie: nothing is extracted, nothing is hidden.

Readers of zip files disagree about what is in one: there are two headers for each member, data may
come before and after, members may overlap, and a few bytes may stand for gigabytes. What could be
read in two ways is refused. Source of the format: PKWARE's APPNOTE 6.3; see also CVE-2026-12479 and
the zip guards of keras/src/saving/saving_lib.py.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

from npbert.errors import ModelFileError, NpbertError, ResourceLimitError, UnsafeModelError

MAX_MEMBERS: Final = 64

_LOCAL: Final = struct.Struct("<4sHHHHHLLLHH")
_END: Final = struct.Struct("<4sHHHHLLH")
_END64: Final = struct.Struct("<4sQHHLLQQQQ")
_LOCATOR64: Final = struct.Struct("<4sLQL")
_TAIL: Final = _END64.size + _LOCATOR64.size + _END.size
_ENCRYPTED, _EFFORT, _LATER, _UTF8 = 0x1, 0x6, 0x8, 0x800
_FLAGS: Final = _EFFORT | _LATER | _UTF8  # deflate's effort; sizes after the data; UTF-8 names
_DESCRIPTOR: Final = 24
_IN_ZIP64: Final = 0xFFFFFFFF
_MEBIBYTE: Final = 1 << 20
_RATIO: Final = 100
_CHUNK: Final = 1 << 20
_AGAIN: Final = "do not use this file; save the model again with Keras"


def check_members(file: io.BufferedReader, path: Path) -> dict[str, zipfile.ZipInfo]:
    """The members of an open zip by name, once every one of them is plain and where it should be.

    Raises:
        ModelFileError: the zip is damaged.
        UnsafeModelError: members that readers would see differently, or that reach outside.
        ResourceLimitError: too many members, or one that unpacks to far more than it is.
    """
    size = os.fstat(file.fileno()).st_size
    try:
        with zipfile.ZipFile(file) as archive:
            infos, start = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error) as error:
        raise damaged(path, error) from None
    if len(infos) > MAX_MEMBERS:
        raise _too_much(path, f"{len(infos)} members", f"at most {MAX_MEMBERS}")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _check_member(info, f"{path}: {info.filename[:80]!r}")
        if info.filename in members:
            raise _unsafe(f"two members called {info.filename!r}", path)
        members[info.filename] = info
    _check_places(file, infos, start, path)
    if not _ends_well(file, size, len(infos), start):
        raise _unsafe("data after the end of the zip, or an end that describes another", path)
    return members


def window(file: io.BufferedReader, info: zipfile.ZipInfo, path: Path) -> io.RawIOBase:
    """A stored member as a file of its own, its CRC checked; ``file`` must stay open."""
    file.seek(info.header_offset)
    begin = info.header_offset + _data_offset(_LOCAL.unpack(file.read(_LOCAL.size)))
    file.seek(begin)
    crc, left = 0, info.file_size
    while left and (chunk := file.read(min(_CHUNK, left))):
        crc, left = zlib.crc32(chunk, crc), left - len(chunk)
    if left or crc != info.CRC:
        raise damaged(path, f"{info.filename}: wrong CRC-32")
    return _Window(file, begin, info.file_size)


def unpack(file: io.BufferedReader, info: zipfile.ZipInfo, path: Path, max_bytes: int) -> bytes:
    """A member's content, at most ``max_bytes`` of it, its CRC checked.

    Raises:
        ModelFileError: it is damaged, or larger than it says.
        ResourceLimitError: it is larger than ``max_bytes``.
    """
    if info.file_size > max_bytes:
        raise _too_much(path, f"{info.filename}: {info.file_size} bytes", f"at most {max_bytes}")
    try:
        # Reading stops at the declared size, and fails there if the CRC is not the declared one.
        with zipfile.ZipFile(file) as archive, archive.open(info.filename) as member:
            content = member.read(info.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError) as error:
        raise damaged(path, error) from None
    if len(content) != info.file_size:
        raise damaged(path, f"{info.filename}: {len(content)} of {info.file_size} bytes")
    return content


class _Window(io.RawIOBase):
    """Bytes ``begin`` to ``begin + size`` of an open file, read-only."""

    def __init__(self, file: io.BufferedReader, begin: int, size: int) -> None:
        self._file, self._begin, self._size, self._at = file, begin, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        left = max(0, self._size - self._at)
        self._file.seek(self._begin + self._at)
        count = self._file.readinto(view[:left])
        self._at += count
        return count


def _ends_well(file: io.BufferedReader, size: int, count: int, start: int) -> bool:
    """Whether the file ends with the zip's end, which says what the directory at ``start`` is.

    Beyond 2 GiB the end comes twice: first with room for large numbers, and a locator of that.
    """
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL).rjust(_TAIL, b"\0")
    locator = _LOCATOR64.unpack_from(tail, _END64.size)
    twice = locator[0] == b"PK\x06\x07"
    end = size - (_TAIL if twice else _END.size)
    true = [0, 0, count, count, end - start, start]
    magic, *said, comment = _END.unpack_from(tail, _TAIL - _END.size)
    if twice:
        magic64, length, _, _, *said64 = _END64.unpack_from(tail)
        placed = locator[1:] == (0, end, 1) and length == _END64.size - 12
        if not (placed and magic64 == b"PK\x06\x06" and said64 == true):
            return False
        no_room = [0xFFFF] * 4 + [_IN_ZIP64] * 2
        said = [b if a == full else a for a, b, full in zip(said, true, no_room)]
    return magic == b"PK\x05\x06" and comment == 0 and said == true


def _check_member(info: zipfile.ZipInfo, where: str) -> None:
    name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
    parts = name.removesuffix("/").split("/")
    if info.orig_filename != name or not name.isprintable() or any(m in name for m in "\\:"):
        raise _unsafe("a name that is no plain path", where)
    if any(part in ("", ".", "..") for part in parts):
        raise _unsafe("a name that leads out of the archive", where)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _unsafe("a link or a device", where)
    if info.flag_bits & _ENCRYPTED:
        raise _unsafe("an encrypted member", where)
    if info.flag_bits & ~_FLAGS:
        raise _unsafe(f"flags {info.flag_bits:#x}", where)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _unsafe(f"compression method {info.compress_type}", where)
    if name.endswith((".pkl", ".pickle")):
        raise _unsafe("a pickle, which can run code when it is read", where)
    if info.file_size > max(_RATIO * info.compress_size, _MEBIBYTE):
        raise _too_much(where, f"{info.compress_size} bytes that unpack to {info.file_size}")
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise damaged(where, f"{info.compress_size} bytes stored for {info.file_size}")


def _check_places(
    file: io.BufferedReader, infos: list[zipfile.ZipInfo], start: int, path: Path
) -> None:
    """From byte 0 on, member after member, whose own headers say what the directory says."""
    end, room = 0, 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        where = f"{path}: {info.filename!r}"
        if info.header_offset < 0:  # zipfile counts back from an end that is too near
            raise damaged(where, "no header where the directory says")
        file.seek(info.header_offset)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
            raise damaged(where, "no header where the directory says")
        fields = _LOCAL.unpack(header)
        name, extra = file.read(fields[-2]), file.read(fields[-1])
        if not _agree(fields, name, extra, info):
            raise _unsafe("a member whose two headers disagree", where)
        if not 0 <= info.header_offset - end <= room:
            raise _unsafe("data between the members, or members that overlap", path)
        end = info.header_offset + _data_offset(fields) + info.compress_size
        room = _DESCRIPTOR if info.flag_bits & _LATER else 0  # sizes that follow the data
    if not 0 <= start - end <= room:
        raise _unsafe("data between the members and their directory", path)


def _agree(fields: tuple[Any, ...], name: bytes, extra: bytes, info: zipfile.ZipInfo) -> bool:
    """Whether a member's own header says what the directory says."""
    _, _, flags, method, _, _, crc, compressed, size, _, _ = fields
    if (compressed, size) == (_IN_ZIP64, _IN_ZIP64):
        size, compressed = _sizes64(extra)
    later = bool(flags & _LATER) and (crc, compressed, size) == (0, 0, 0)
    same = (crc, compressed, size) == (info.CRC, info.compress_size, info.file_size)
    alike = (flags, method) == (info.flag_bits, info.compress_type)
    encoding = "utf-8" if flags & _UTF8 else "cp437"
    named = name.decode(encoding, "replace") == info.orig_filename
    return alike and named and (same or later)


def _sizes64(extra: bytes) -> tuple[int, int]:
    """A member's size and how much of the file it takes, where the header has no room for them."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        if kind == 1 and length >= 16 and len(extra) >= 20:
            size, compressed = struct.unpack_from("<QQ", extra, 4)
            return size, compressed
        extra = extra[4 + length :]
    return -1, -1


def _data_offset(fields: tuple[int, ...]) -> int:
    """From a member's header to its data: past the name and the extra field."""
    return _LOCAL.size + fields[-2] + fields[-1]


def damaged(where: object, received: object) -> NpbertError:
    """The error for a zip that cannot be read."""
    return ModelFileError(
        "the zip archive cannot be read.",
        where=where,
        received=received,
        fix="get the file again; it is damaged or incomplete",
    )


def _too_much(where: object, received: str, expected: str | None = None) -> NpbertError:
    return ResourceLimitError(
        "the archive declares far more than a BERT has.",
        where=where,
        received=received,
        expected=expected,
        fix=_AGAIN,
    )


def _unsafe(received: str, where: object) -> NpbertError:
    return UnsafeModelError(
        "the archive is not one that Keras writes.",
        where=where,
        received=received,
        expected="plain members, one after the other",
        fix=_AGAIN,
    )
