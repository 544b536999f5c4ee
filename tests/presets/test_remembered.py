"""File hashes that are computed once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from npbert.presets import remembered
from npbert.presets.remembered import sha256_of

RIGHT = hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "weights").write_bytes(b"weights")
    return tmp_path / "weights"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by one each time a file is really hashed."""
    calls: list[str] = []
    digest = hashlib.file_digest

    def counted(file: object, name: str) -> object:
        calls.append(name)
        return digest(file, name)

    monkeypatch.setattr(remembered.hashlib, "file_digest", counted)
    return calls


def test_hashed_once(cache: Path, weights: Path, hashed: list[str]):
    assert [sha256_of(weights) for _ in range(3)] == [RIGHT] * 3
    assert len(hashed) == 1
    assert [path.name for path in cache.iterdir()] == ["verified.json"]


def test_hashed_again_when_the_size_changes(cache: Path, weights: Path, hashed: list[str]):
    status = weights.stat()
    sha256_of(weights)
    weights.write_bytes(b"longer weights")
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sha256_of(weights) == hashlib.sha256(b"longer weights").hexdigest()
    assert len(hashed) == 2


def test_hashed_again_when_the_time_changes(cache: Path, weights: Path, hashed: list[str]):
    sha256_of(weights)
    weights.write_bytes(b"Weights")
    os.utime(weights, ns=(5, 5))
    assert sha256_of(weights) == hashlib.sha256(b"Weights").hexdigest()
    assert len(hashed) == 2


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff", b'{"a": 5}', b'{"a": "' + b"x" * 1_000_001 + b'"}']
)
def test_a_damaged_memory_is_replaced(
    cache: Path, weights: Path, hashed: list[str], content: bytes
):
    cache.mkdir(mode=0o700)
    (cache / "verified.json").write_bytes(content)
    assert [sha256_of(weights), sha256_of(weights)] == [RIGHT, RIGHT]
    assert len(hashed) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_memory_others_may_write_is_not_believed(cache: Path, weights: Path, hashed: list[str]):
    sha256_of(weights)
    cache.chmod(0o777)
    assert sha256_of(weights) == RIGHT
    assert len(hashed) == 2


def test_a_link_is_not_believed(
    cache: Path, weights: Path, hashed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sha256_of(weights)
    (tmp_path / "link").symlink_to(cache)
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(tmp_path / "link"))
    assert sha256_of(weights) == RIGHT
    assert len(hashed) == 2


def test_a_cache_that_cannot_be_made(weights: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(weights / "below a file"))
    assert [sha256_of(weights), sha256_of(weights)] == [RIGHT, RIGHT]


def test_a_full_disk(cache: Path, weights: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(remembered.os, "replace", full)
    assert sha256_of(weights) == RIGHT
    assert list(cache.iterdir()) == []


def test_a_user_without_a_home(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch):
    def homeless() -> Path:
        raise OSError("this user has no home directory")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remembered, "user_cache", homeless)
    assert sha256_of(weights) == RIGHT
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
