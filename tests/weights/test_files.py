"""Opening model files, and naming what a wrong one looks like."""

from __future__ import annotations

import gzip
import os
import pickle
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from npbert.errors import ConfigError, ModelFileError, UnsafeModelError
from npbert.weights import hugging_face, keras_h5
from npbert.weights.files import HDF5_MAGIC, not_the_format, open_regular, read_whole
from npbert.weights.load_file import load_file

from .model_files import CONFIG


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


def test_a_whole_file_has_a_limit(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    assert read_whole(path, 7) == b"content"
    message = rf"larger than 6 bytes\.\n  where:    {path}\n  fix:      check that it is the right"
    with pytest.raises(ModelFileError, match=message):
        read_whole(path, 6)
    with pytest.raises(ConfigError, match=r"larger than 6 bytes(.|\n)*fix:      look"):
        read_whole(path, 6, error=ConfigError, fix="look")


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


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no sockets among the files")
def test_a_socket_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(ModelFileError, match=r"not a regular file(.|\n)*received: socket"):
            open_regular(Path("socket")).__enter__()


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


READERS = {
    "model.safetensors": (hugging_face.load, "not a safetensors file"),
    "model.weights.h5": (keras_h5.load, "not an HDF5 file"),
    "model.keras": (load_file, "not a .keras archive"),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><html>404</html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (gzip.compress(b"content", mtime=0), "a gzip archive"),
    ],
)
def test_the_readers_name_it(tmp_path: Path, name: str, content: bytes, kind: str):
    read, what = READERS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"^{what}; it looks like {kind}\."):
        read(tmp_path / name, CONFIG)


@pytest.mark.parametrize("name", list(READERS)[:2])
def test_a_zip_under_another_name(tmp_path: Path, name: str):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("model.weights.h5", b"content")
    with pytest.raises(ModelFileError, match=r"it looks like a zip archive\."):
        READERS[name][0](tmp_path / name, CONFIG)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("write", ["pickle", "npy", "npz", "torch"])
def test_no_reader_opens_a_pickle(tmp_path: Path, name: str, write: str):
    """It is known by its bytes, not by its name; nothing in it runs."""
    objects = np.array([{}], dtype=object)
    with open(tmp_path / name, "wb") as file:
        if write == "pickle":
            pickle.dump({"weights": [1.0, 2.0]}, file)
        elif write == "npy":
            np.save(file, objects, allow_pickle=True)
        elif write == "npz":
            np.savez(file, objects, allow_pickle=True)
        else:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("archive/data.pkl", pickle.dumps({}))
    with pytest.raises(UnsafeModelError, match="this is a pickle, which can run code") as error:
        READERS[name][0](tmp_path / name, CONFIG)
    assert error.value.fix == "convert the model to safetensors"


def test_an_unknown_file_shows_its_first_bytes():
    error = not_the_format(b"once upon a time there was", Path("a"), "an HDF5 file")
    assert error.what == "not an HDF5 file."
    assert error.received == "b'once upon a time'..."
