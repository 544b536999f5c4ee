"""Local heaps of HDF5 files whose free space has no end."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import pytest

from npbert.errors import ModelFileError, ResourceLimitError
from npbert.weights import keras_h5
from npbert.weights.h5_heaps import check_heaps

from .model_files import CONFIG, random_arrays, write_h5

LIMIT = 10_000


def check(path: Path, limit: int = LIMIT) -> None:
    with path.open("rb") as file:
        check_heaps(file, path, limit)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_h5(tmp_path / "model.weights.h5", random_arrays())


def heaps(path: Path) -> list[int]:
    return [match.start() for match in re.finditer(b"HEAP\0", path.read_bytes())]


def change(path: Path, at: int, value: int) -> None:
    """Put a number of 8 bytes there."""
    content = bytearray(path.read_bytes())
    content[at : at + 8] = value.to_bytes(8, "little")
    path.write_bytes(content)


def number(path: Path, at: int) -> int:
    return int.from_bytes(path.read_bytes()[at : at + 8], "little")


def piece(path: Path, heap: int) -> int:
    """Where the first piece of a heap's free space is; its first number says where the next is."""
    return number(path, heap + 24) + number(path, heap + 16)


def test_good_files(path: Path):
    assert len(heaps(path)) > 40
    check(path)
    with h5py.File(path.with_name("new.h5"), "w", libver="latest") as file:
        file["/layers/dense/vars/0"] = [1.0]
    check(path.with_name("new.h5"))


@pytest.mark.parametrize("which", [0, 20, -1])
def test_a_piece_that_is_its_own_next_one(path: Path, which: int):
    heap = heaps(path)[which]
    change(path, piece(path, heap), number(path, heap + 16))
    with pytest.raises(ModelFileError, match=f"heap at byte {heap}\n.*free space without an end"):
        check(path)
    with pytest.raises(ModelFileError, match="the HDF5 file is damaged"):
        keras_h5.load(path, CONFIG)


def test_a_longer_way_round(path: Path):
    heap = heaps(path)[3]
    first, data = number(path, heap + 16), number(path, heap + 24)
    second = 16 if first != 16 else 32
    change(path, data + first, second)
    change(path, data + second, first)
    with pytest.raises(ModelFileError, match="free space without an end"):
        check(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [(8, 0), (8, 1 << 40), (16, 1), (16, 1 << 40), (24, 1 << 40), (24, (1 << 64) - 8)],
)
def test_what_leads_outside_is_for_hdf5_to_refuse(path: Path, field: int, value: int):
    change(path, heaps(path)[0] + field, value)
    check(path)


def test_too_many(path: Path):
    with pytest.raises(ResourceLimitError, match="more than 40 groups"):
        check(path, 40)


def test_a_file_of_any_length(tmp_path: Path):
    """Read in pieces of 1 MiB, in which a heap begins at a multiple of 8 bytes."""
    for before in (0, 8, (1 << 20) - 8, 1 << 20, 3 << 20):
        path, fields = tmp_path / "a.h5", (64, 0, before + 32)
        loop = b"HEAP\0\0\0\0" + b"".join(n.to_bytes(8, "little") for n in fields)
        path.write_bytes(bytes(before) + loop + bytes(19))
        with pytest.raises(ModelFileError, match=f"heap at byte {before}\n"):
            check(path)
