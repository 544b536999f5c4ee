"""The directory of compiled kernels, with files that hold anything but kernels."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from npbert.simd import entries

pytestmark = pytest.mark.kernel  # the directory's name asks Numba for its settings

TARGET = ("x86_64-unknown-linux-gnu", "a-cpu", "+sse2")
KEY, PICKLE = b"the whole key", b"the pickle"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one entry, for the tile "avx2"."""
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(tmp_path / "kept"))
    found = entries.directory("avx2", TARGET)
    entries.write(found / "entry", KEY, PICKLE)
    return found


def test_there_and_back(kept: Path) -> None:
    assert entries.pickle_of(entries.read(kept / "entry"), KEY) == PICKLE
    assert entries.size("avx2", TARGET) == (kept / "entry").stat().st_size
    with pytest.raises(ValueError, match="the entry of another key"):
        entries.pickle_of(entries.read(kept / "entry"), b"another key")


def test_one_directory_for_each_tile_target_and_settings(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {kept, entries.directory("neon", TARGET), entries.directory("avx2", (*TARGET[:2], ""))}
    monkeypatch.setenv("NUMBA_OPT", "1")
    seen.add(entries.directory("avx2", TARGET))
    assert len(seen) == 4
    assert len({each.parent for each in seen}) == 1


def test_present(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert entries.present("avx2", TARGET)
    assert not entries.present("neon", TARGET)
    (kept / "entry").rename(kept / "0123.tmp")
    assert not entries.present("avx2", TARGET)
    (kept / "0123.tmp").unlink()
    assert not entries.present("avx2", TARGET)
    monkeypatch.setattr(entries, "user_cache", None)
    assert not entries.present("avx2", TARGET)


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
@pytest.mark.parametrize("up", [0, 1, 2])
def test_what_others_can_write_to_is_as_good_as_absent(kept: Path, up: int) -> None:
    (kept / "x").parents[up].chmod(0o770)
    assert not entries.present("avx2", TARGET)
    with pytest.raises(PermissionError, match="or may write to it"):
        entries.read(kept / "entry")


def test_shared_means_readable_and_no_more(kept: Path, tmp_path: Path) -> None:
    entries.share(tmp_path / "kept")
    assert stat.S_IMODE((kept / "entry").stat().st_mode) == 0o644
    for each in (kept, kept.parent, kept.parents[1]):
        assert stat.S_IMODE(each.stat().st_mode) == 0o755
    assert entries.present("avx2", TARGET)


def test_an_interrupted_write_leaves_nothing(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        entries.write(kept / "second", KEY, PICKLE)
    assert [each.name for each in kept.iterdir()] == ["entry"]
