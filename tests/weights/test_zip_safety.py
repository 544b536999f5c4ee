"""What a zip may not be."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from npbert.errors import ModelFileError, ResourceLimitError, UnsafeModelError
from npbert.weights.zip_safety import check_members, unpack, window

CONTENT = bytes(range(256)) * 7


def write(path: Path, *members: str | zipfile.ZipInfo, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for member in members:
            archive.writestr(member, CONTENT)
    return path


def check(path: Path) -> dict[str, zipfile.ZipInfo]:
    with path.open("rb") as file:
        return check_members(file, path)


def changed(path: Path, change: Callable[[bytearray], object]) -> Path:
    content = bytearray(path.read_bytes())
    result = change(content)
    path.write_bytes(result if isinstance(result, bytes) else content)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.keras"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_plain_members(path: Path, method: int):
    write(path, "config.json", "assets/é/vocabulary.txt", method=method)
    with path.open("rb") as file:
        members = check_members(file, path)
        assert list(members) == ["config.json", "assets/é/vocabulary.txt"]
        for info in members.values():
            assert unpack(file, info, path, len(CONTENT)) == CONTENT
            if method == zipfile.ZIP_STORED:
                assert window(file, info, path).readall() == CONTENT


def test_members_that_were_streamed(path: Path):
    """Their sizes come after them."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.writestr("a", CONTENT)
        archive.writestr("b", CONTENT)
    path.write_bytes(pipe.getvalue())
    assert list(check(path)) == ["a", "b"]


def test_a_member_with_room_for_more_than_4_gib(path: Path):
    with zipfile.ZipFile(path, "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(CONTENT)
    assert list(check(path)) == ["a"]


def test_a_window_is_a_file(path: Path):
    write(path, "first", "second")
    with path.open("rb") as file:
        view = window(file, check_members(file, path)["second"], path)
        assert view.seek(-3, io.SEEK_END) == len(CONTENT) - 3
        assert view.read(10) == CONTENT[-3:]
        assert view.read(10) == b""
        view.seek(5)
        assert view.seek(2, io.SEEK_CUR) == view.tell() == 7
        assert view.read(3) == CONTENT[7:10]
        assert view.readable()
        assert view.seekable()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../config.json", "leads out of the archive"),
        ("a/../../b", "leads out of the archive"),
        ("/etc/passwd", "leads out of the archive"),
        ("a//b", "leads out of the archive"),
        (".", "leads out of the archive"),
        ("C:\\windows", "no plain path"),
        ("c:config", "no plain path"),
        ("a\\b", "no plain path"),
        ("a\nb", "no plain path"),
        ("archive/data.pkl", "a pickle, which can run code"),
    ],
)
def test_names(path: Path, name: str, words: str):
    with pytest.raises(UnsafeModelError, match=words):
        check(write(path, "config.json", name))


def test_a_name_with_a_nul(path: Path):
    write(path, "config.jsonXpkl")
    changed(path, lambda c: bytes(c).replace(b"jsonXpkl", b"json\0pkl"))
    with pytest.raises(UnsafeModelError, match="no plain path"):
        check(path)


def test_a_name_twice(path: Path):
    with pytest.raises(UnsafeModelError, match="two members called 'a'"):
        check(write(path, "a", "b", "a"))


def test_too_many_members(path: Path):
    assert len(check(write(path, *(f"{i}" for i in range(64))))) == 64
    with pytest.raises(ResourceLimitError, match="65 members"):
        check(write(path, *(f"{i}" for i in range(65))))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_or_a_device(path: Path, kind: int):
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(UnsafeModelError, match="a link or a device"):
        check(write(path, info))


@pytest.mark.parametrize(
    ("flag", "received"),
    [
        (0x1, "an encrypted member"),
        (0x20, "flags 0x20"),  # patched data
        (0x40, "flags 0x40"),  # strong encryption
        (0x2000, "flags 0x2000"),  # headers that are masked
    ],
)
def test_flags(path: Path, flag: int, received: str):
    def set_both(content: bytearray) -> None:
        for at in (6, bytes(content).index(b"PK\x01\x02") + 8):
            struct.pack_into("<H", content, at, flag)

    with pytest.raises(UnsafeModelError) as caught:
        check(changed(write(path, "a"), set_both))
    assert caught.value.received == received


def test_a_method_that_is_not_read(path: Path):
    with pytest.raises(UnsafeModelError, match="compression method 12"):
        check(write(path, "a", method=zipfile.ZIP_BZIP2))


def test_a_bomb(path: Path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(3_000_000))
    with pytest.raises(ResourceLimitError, match="bytes that unpack to 3000000"):
        check(path)


def test_a_member_larger_than_it_may_be(path: Path):
    with write(path, "a").open("rb") as file:
        info = check_members(file, path)["a"]
        with pytest.raises(ResourceLimitError, match="a: 1792 bytes"):
            unpack(file, info, path, 1791)


def test_data_before_and_after(path: Path):
    plain = write(path, "a").read_bytes()
    path.write_bytes(b"#!/bin/sh\n" + plain)
    with pytest.raises(UnsafeModelError, match="data between the members"):
        check(path)
    path.write_bytes(plain + b"more")
    with pytest.raises((UnsafeModelError, ModelFileError), match=r"after the end|cannot be read"):
        check(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", CONTENT)
        archive.comment = b"hidden"
    with pytest.raises(UnsafeModelError, match="data after the end of the zip"):
        check(path)


def test_data_between(path: Path):
    write(path, "a", "b")
    # Only the directory's start and the second member's place move.
    content = path.read_bytes()
    second = content.index(b"PK\x03\x04", 4)
    central = content.index(b"PK\x01\x02")
    entry = content.index(b"PK\x01\x02", central + 4)
    moved = bytearray(content[:second] + b"hidden" + content[second:])
    struct.pack_into("<L", moved, entry + 6 + 42, second + 6)
    struct.pack_into("<L", moved, len(moved) - 6, central + 6)
    path.write_bytes(moved)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None  # others read it
    with pytest.raises(UnsafeModelError, match="data between the members"):
        check(path)


def test_members_that_overlap(path: Path):
    write(path, "a", "b")
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    entry = content.index(b"PK\x01\x02", central + 4)
    content[entry + 46 : entry + 47] = b"c"
    struct.pack_into("<L", content, entry + 42, 0)
    path.write_bytes(content)
    with pytest.raises((UnsafeModelError, ModelFileError)):
        check(path)


@pytest.mark.parametrize(
    "at", [6, 8, 14, 18, 22, 30], ids=["flags", "method", "crc", "stored size", "size", "name"]
)
def test_headers_that_disagree(path: Path, at: int):
    def change(content: bytearray) -> None:
        content[at] ^= 2

    with pytest.raises(UnsafeModelError, match="two headers disagree"):
        check(changed(write(path, "a"), change))


def test_a_flipped_bit(path: Path):
    def flip(content: bytearray) -> None:
        content[500] ^= 4

    changed(write(path, "a"), flip)
    with path.open("rb") as file:
        info = check_members(file, path)["a"]
        with pytest.raises(ModelFileError, match="wrong CRC-32"):
            window(file, info, path)
        with pytest.raises(ModelFileError, match="Bad CRC-32"):
            unpack(file, info, path, 10_000)


@pytest.mark.parametrize("size", [3, 100, 1800, 1880, -1])
def test_cut_off(path: Path, size: int):
    changed(write(path, "a"), lambda c: bytes(c[:size]))
    with pytest.raises((ModelFileError, UnsafeModelError)):
        check(path)


def test_bytes_that_are_gone(tmp_path: Path):
    """The directory then seems to begin too early, and the first member before the file."""
    path = changed(write(tmp_path / "a.keras", "one", "two"), lambda c: bytes(c[:60] + c[90:]))
    with pytest.raises(ModelFileError) as caught:
        check(path)
    assert caught.value.received == "no header where the directory says"
