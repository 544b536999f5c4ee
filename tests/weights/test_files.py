"""Opening model files, and naming what a wrong one looks like."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from npbert.errors import ModelFileError, UnsafeModelError
from npbert.weights.files import HDF5_MAGIC, not_the_format, open_regular


def test_reads_a_regular_file_and_closes_it(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"content")
    with open_regular(tmp_path / "a") as file:
        assert file.read() == b"content"
    assert file.closed


@pytest.mark.parametrize("change", ["grow", "rewrite", "touch", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read(tmp_path: Path, change: str):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    os.utime(path, ns=(10**18, 10**18))
    changes = {
        "grow": lambda: os.truncate(path, 9),
        "rewrite": lambda: path.write_bytes(b"CONTENT"),
        "touch": lambda: os.utime(path, ns=(10**18, 10**18 + 1000)),
        "replace": lambda: _replace(path),
        "remove": path.unlink,
    }
    message = rf"changed while it was read\.\n  where:    {path}\n  received: (another|the file is)"
    with pytest.raises(ModelFileError, match=message):
        _read(path, changes[change])


def _read(path: Path, then: Callable[[], object]) -> None:
    with open_regular(path) as file:
        assert file.read(3) == b"con"
        then()


def _replace(path: Path) -> None:
    """Another file of the same size and time, as a program that writes atomically leaves it."""
    other = path.with_name("b")
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(10**18, 10**18))
    os.replace(other, path)


def test_an_error_while_reading_is_not_hidden(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"content")

    def fail() -> None:
        path.unlink()
        raise KeyError

    with pytest.raises(KeyError):
        _read(path, fail)


def test_missing(tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"the file does not exist.\n  where: .*nothing"):
        open_regular(tmp_path / "nothing").__enter__()


def test_a_path_with_a_null_byte(tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"cannot be opened(.|\n)*null"):
        open_regular(tmp_path / "a\0b").__enter__()


def test_empty(tmp_path: Path):
    (tmp_path / "a").touch()
    with pytest.raises(ModelFileError, match=r"the file is empty \(0 bytes\)"):
        open_regular(tmp_path / "a").__enter__()


def test_a_directory_is_not_opened(tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"not a regular file(.|\n)*received: directory"):
        open_regular(tmp_path).__enter__()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_a_fifo_never_blocks(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match=r"not a regular file(.|\n)*received: fifo"):
        open_regular(tmp_path / "pipe").__enter__()


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no device files on this system")
def test_a_device_is_not_opened():
    with pytest.raises(ModelFileError, match=r"not a regular file(.|\n)*received: device"):
        open_regular(Path("/dev/zero")).__enter__()


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permission_denied(unprivileged: Path):
    (unprivileged / "a").write_bytes(b"content")
    (unprivileged / "a").chmod(0)
    with pytest.raises(ModelFileError, match=r"cannot be opened(.|\n)*Permission denied"):
        open_regular(unprivileged / "a").__enter__()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html lang='en'>", "an HTML page"),
        (b"<HTML><body>Sign in</body>", "an HTML page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "an XML page"),
        (b"\x1f\x8b\x08\x00rest", "a gzip archive"),
        (b"PK\x03\x04config.json", "a zip archive"),
        (b"\x93NUMPY\x01\x00", "a NumPy array"),
        (b"GGUF\x03\x00", "a GGUF file"),
        (HDF5_MAGIC + b"\x00", "an HDF5 file"),
    ],
)
def test_names_what_the_file_looks_like(head: bytes, kind: str):
    error = not_the_format(head, Path("model.safetensors"), "a safetensors file")
    assert isinstance(error, ModelFileError)
    assert error.what == f"not a safetensors file; it looks like {kind}."
    assert error.fix is not None


def test_an_unknown_file_shows_its_first_bytes():
    error = not_the_format(b"once upon a time there was", Path("a"), "an HDF5 file")
    assert error.what == "not an HDF5 file."
    assert error.received == "b'once upon a time'..."


def test_a_pickle_is_unsafe():
    error = not_the_format(pickle.dumps([1, 2]), Path("a"), "an HDF5 file")
    assert isinstance(error, UnsafeModelError)
    assert error.what == "this is a pickle, which can run code when it is read."


def test_a_torch_checkpoint_is_unsafe(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    head = (tmp_path / "pytorch_model.bin").read_bytes()
    assert isinstance(not_the_format(head, Path("a"), "an HDF5 file"), UnsafeModelError)
