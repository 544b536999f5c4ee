"""A file that never tells HDF5 of an error."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from npbert.weights.sink import Sink

VALUES = np.arange(30_000, dtype=np.float32)


class Failing(io.FileIO):
    """A file that takes so many writes, and no more."""

    def __init__(self, path: Path, writes: int, error: BaseException) -> None:
        super().__init__(path, "w+b")
        self.left, self.error = writes, error

    def write(self, data: Any) -> int:
        self.left -= 1
        if self.left < 0:
            raise self.error
        return super().write(data[:5000])  # as a system may: part of it


def write(raw: io.FileIO) -> Sink:
    sink = Sink(raw)
    with raw, h5py.File(sink, "w") as file:
        for i in range(20):
            file[f"group_{i}/values"] = VALUES
    return sink


def count(path: Path) -> int:
    raw = Failing(path, 10**9, OSError())
    write(raw).check()
    return 10**9 - raw.left


def test_what_hdf5_writes_is_whole(tmp_path: Path):
    count(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert len(file) == 20
        for group in file.values():
            np.testing.assert_array_equal(group["values"][...], VALUES)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_at_any_write(tmp_path: Path, error: BaseException):
    """Each of them once: HDF5 notices nothing, and the error comes afterwards."""
    for writes in range(0, count(tmp_path / "a.h5"), 7):
        sink = write(Failing(tmp_path / "a.h5", writes, error))
        with pytest.raises(type(error)) as raised:
            sink.check()
        assert raised.value is error
    count(tmp_path / "a.h5")


def test_as_a_file(tmp_path: Path):
    with open(tmp_path / "a", "w+b", buffering=0) as raw:
        sink = Sink(raw)
        assert sink.write(b"abcdef") == 6
        assert sink.seek(2) == sink.tell() == 2
        assert sink.read(3) == b"cde"
        sink.flush()
        assert sink.truncate(4) == 4
        sink.check()
    assert (tmp_path / "a").read_bytes() == b"abcd"
    assert os.path.getsize(tmp_path / "a") == 4
