"""``.keras`` archives, as far as zip and JSON go."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from npbert.errors import ConfigError, ModelFileError, ResourceLimitError, UnsafeModelError
from npbert.weights.keras_archive import open_archive, open_weights

from .model_files import CONFIG, random_arrays, write_h5


@pytest.fixture
def h5(tmp_path: Path) -> bytes:
    return write_h5(tmp_path / "a.h5", random_arrays()).read_bytes()


def write(path: Path, method: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    """An archive; ``model_weights_h5`` is called ``model.weights.h5``."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_config_and_weights(tmp_path: Path, h5: bytes, method: int):
    path = write(tmp_path / "a.keras", method, config_json=b'{"a": 1}', model_weights_h5=h5)
    with open_archive(path) as archive:
        assert archive.config() == {"a": 1}
        assert archive.read("config.json", 99) == b'{"a": 1}'
        weights = archive.weights(CONFIG)
        assert isinstance(weights, io.BytesIO) == (method == zipfile.ZIP_DEFLATED)
        assert weights.read() == h5
    with open_weights(path, CONFIG) as file:
        assert file["/layers/dense/vars/0"].shape == (12, 12)


def test_an_archive_that_changes_while_it_is_read(tmp_path: Path, h5: bytes):
    path = write(tmp_path / "a.keras", config_json=b'{"a": 1}', model_weights_h5=h5)
    os.utime(path, ns=(10**18, 10**18))

    def read() -> None:
        with open_archive(path) as archive:
            os.utime(path)
            archive.config()

    with pytest.raises(ModelFileError, match="the file was changed while it was read"):
        read()


def test_what_is_missing(tmp_path: Path):
    with open_archive(write(tmp_path / "a.keras", model_weights_npz=b"x")) as archive:
        with pytest.raises(ModelFileError, match=r"the archive has no config\.json") as error:
            archive.config()
        assert error.value.received == "model.weights.npz"
        with pytest.raises(ModelFileError, match=r"the archive has no model\.weights\.h5"):
            archive.weights(CONFIG)


@pytest.mark.parametrize("text", [b"[1]", b'{"a": 1, "a": 2}', b"\xff"])
def test_a_config_that_is_none(tmp_path: Path, text: bytes):
    path = write(tmp_path / "a.keras", config_json=text)
    with open_archive(path) as archive, pytest.raises(ConfigError):
        archive.config()


def test_a_config_that_is_too_large(tmp_path: Path):
    path = write(tmp_path / "a.keras", config_json=b" " * 1_000_001)
    with open_archive(path) as archive, pytest.raises(ResourceLimitError):
        archive.config()


def test_compressed_weights_far_larger_than_the_model(tmp_path: Path):
    # A little noise in much nothing, so that no ratio gives it away.
    content = b"".join(os.urandom(500) + bytes(20_000) for _ in range(3_400))
    path = write(tmp_path / "a.keras", zipfile.ZIP_DEFLATED, model_weights_h5=content)
    with open_archive(path) as archive, pytest.raises(ResourceLimitError, match="than a BERT has"):
        archive.weights(CONFIG)


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(99), ModelFileError, "looks like an HDF5 file"),
        (b"\x80\x04abc", UnsafeModelError, "this is a pickle"),
        (b"PK\x03\x04" + bytes(26) + b"archive/data.pkl", UnsafeModelError, "this is a pickle"),
        (b"PK\x03\x04 and nothing more", ModelFileError, "cannot be read"),
        (b"", ModelFileError, "is empty"),
    ],
)
def test_no_archive(tmp_path: Path, content: bytes, error: type[Exception], words: str):
    (tmp_path / "a.keras").write_bytes(content)
    with pytest.raises(error, match=words), open_archive(tmp_path / "a.keras"):
        pass
