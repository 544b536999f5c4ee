"""The rows of an output that is not whole yet."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.cli.sources import Row
from npbert.cli.unfinished import Unfinished
from npbert.errors import ConfigError, InputError, ModelFileError

STAMP = {"dimension": 3, "model": "é"}
ROWS = [Row("one", 5), Row("zwei \n", "b"), Row(""), Row("三" * 40, 2**70)]
VECTORS = np.random.default_rng(3).standard_normal((4, 3)).astype(np.float32)


def begin(folder: Path, *, resume: bool = False, stamp: dict[str, object] = STAMP) -> Unfinished:
    return Unfinished(folder / "v.npy", stamp, 3, resume=resume)


def fill(folder: Path) -> None:
    with begin(folder) as unfinished:
        unfinished.append(ROWS[:3], VECTORS[:3])
        unfinished.append(ROWS[3:], VECTORS[3:])


def test_rows_come_back(tmp_path: Path) -> None:
    fill(tmp_path)
    with begin(tmp_path, resume=True) as unfinished:
        back = list(unfinished.rows())
        assert [row for row, _ in back] == ROWS
        np.testing.assert_array_equal([vector for _, vector in back], VECTORS)
        unfinished.discard()
    assert not any(tmp_path.iterdir())


@given(st.data())
def test_whatever_a_kill_leaves_is_cut_to_whole_rows(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("kill")
    path = folder / "v.npy.partial"
    with begin(folder):
        first = path.stat().st_size  # rows are stored when this record is on disk
    path.unlink()
    fill(folder)
    content = path.read_bytes()
    kept = data.draw(st.integers(0, len(content)))
    noise = data.draw(st.binary(max_size=30) | st.integers(0, 40).map(bytes))
    path.write_bytes(content[:kept] + (noise if kept >= first else noise[: first - kept]))
    with begin(folder, resume=True) as unfinished:
        done = unfinished.skip(iter(ROWS))
        unfinished.append(ROWS[done:], VECTORS[done:])
        back = list(unfinished.rows())
    assert [row for row, _ in back] == ROWS
    np.testing.assert_array_equal([vector for _, vector in back], VECTORS)


@pytest.mark.parametrize("content", [b"\xff", b"a file of somebody's"])
def test_what_is_no_unfinished_run_stays(tmp_path: Path, content: bytes) -> None:
    fill(tmp_path)
    path = tmp_path / "v.npy.partial"
    path.write_bytes(content + path.read_bytes()[1:])
    before = path.read_bytes()
    with pytest.raises(ModelFileError, match=r"first record is damaged[\s\S]*delete it"):
        begin(tmp_path, resume=True)
    assert path.read_bytes() == before


def test_without_resume_nothing_is_lost(tmp_path: Path) -> None:
    fill(tmp_path)
    before = (tmp_path / "v.npy.partial").read_bytes()
    with pytest.raises(ConfigError, match=r"unfinished run[\s\S]*--resume"):
        begin(tmp_path)
    assert (tmp_path / "v.npy.partial").read_bytes() == before


def test_another_stamp(tmp_path: Path) -> None:
    fill(tmp_path)
    with pytest.raises(InputError, match=r'another model[\s\S]*"é"[\s\S]*"e"[\s\S]*--resume'):
        begin(tmp_path, resume=True, stamp=STAMP | {"model": "e"})
    assert len((tmp_path / "v.npy.partial").read_bytes()) > 100


@pytest.mark.parametrize("rows", [ROWS[:2], [ROWS[0], Row("zwei \n", "c"), *ROWS[2:]]])
def test_another_input(tmp_path: Path, rows: list[Row]) -> None:
    fill(tmp_path)
    with (
        begin(tmp_path, resume=True) as unfinished,
        pytest.raises(InputError, match=r"input has changed[\s\S]*--reuse"),
    ):
        unfinished.skip(iter(rows))


def test_two_processes_at_one_output(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with begin(tmp_path):
        for resume in (True, False):
            with pytest.raises(ConfigError, match="another process"):
                begin(tmp_path, resume=resume)


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    fill(tmp_path)
    assert (tmp_path / "v.npy.partial").stat().st_size > 100


def test_a_file_that_somebody_has_removed(tmp_path: Path) -> None:
    with begin(tmp_path) as unfinished:
        unfinished.path.unlink()
        unfinished.discard()
