"""What tells the kernels of one version from those of another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from npbert.simd import sources
from npbert.simd.sources import PACKAGES, Sources


@pytest.fixture
def copied(tmp_path: Path) -> dict[str, Path]:
    """The packages of the kernels, in files of this test's own."""
    for name in ("simd", "ops"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGES[f"npbert.{name}"], tmp_path / name, ignore=ignored)
    return {name: tmp_path / name for name in ("simd", "ops")}


def test_every_source_counts(copied: dict[str, Path], tmp_path: Path) -> None:
    seen = {Sources(copied).digest}
    files = sorted(tmp_path.rglob("*.py"))
    assert len(files) > 10
    for path in files:
        path.write_bytes(path.read_bytes() + b"# edited\n")
        seen.add(Sources(copied).digest)
    (tmp_path / "simd" / "added.py").touch()
    seen.add(Sources(copied).digest)
    (tmp_path / "simd" / "added.py").rename(tmp_path / "simd" / "renamed.py")
    seen.add(Sources(copied).digest)
    assert len(seen) == len(files) + 3


def test_every_change_is_seen(copied: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "ops" / "deep").mkdir()
    (tmp_path / "ops" / "deep" / "one.py").write_text("x = 1\n")
    loaded = Sources(copied)
    assert loaded.unchanged()
    for path in sorted(tmp_path.rglob("*.py")):
        content = path.read_bytes()
        path.write_bytes(content + b"# edited\n")
        assert not loaded.unchanged()
        path.write_bytes(content)
        assert loaded.unchanged()
    added = tmp_path / "ops" / "deep" / "added.py"
    added.touch()
    assert not loaded.unchanged()
    added.unlink()
    assert loaded.unchanged()
    (tmp_path / "simd" / "gemm.py").unlink()
    assert not loaded.unchanged()


def test_an_unchanged_file_is_not_read_again(
    copied: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = Sources(copied)
    for path in tmp_path.rglob("*.py"):
        os.utime(path)
    assert loaded.unchanged()
    monkeypatch.setattr(Path, "read_bytes", None)
    assert loaded.unchanged()


def test_a_zip_has_no_sources(tmp_path: Path) -> None:
    nowhere = Sources({"npbert.ops": tmp_path / "npbert.zip" / "ops"})
    assert nowhere.digest == ""
    assert not nowhere.unchanged()


def test_an_unreadable_source(copied: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert Sources(copied).digest == ""


@pytest.mark.kernel
def test_settings_that_choose_the_target_are_not_among_the_others() -> None:
    names = {name for name, _ in sources.settings()}
    assert {"OPT", "BOUNDSCHECK", "SLP_VECTORIZE", "LOOP_VECTORIZE"} <= names
    assert not {"CPU_NAME", "CPU_FEATURES", "ENABLE_AVX", "CACHE_DIR", "NUM_THREADS"} & names


@pytest.mark.kernel
def test_versions() -> None:
    import numpy as np

    assert np.__version__ in sources.versions()
