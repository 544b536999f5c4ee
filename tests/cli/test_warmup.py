"""``npbert warmup``: what it says and where it puts things; what it compiles is made up here."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from npbert.cli.warmup import _line
from npbert.dtype_policy import DTypePolicy
from npbert.engine import warmup
from npbert.engine.warmup import Work
from npbert.simd import entries, isa
from npbert.simd.isa import ISAS, Choice

from .conftest import Npbert

pytestmark = pytest.mark.kernel

LEVELS = isa.levels("x86_64-unknown-linux-gnu")


class Machine:
    """Compiles at once, and what it compiles is no kernel."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.policies: list[str] = []

    def works(self, levels: Sequence[str], policy: DTypePolicy) -> list[Work]:
        self.asked.append(list(levels))
        self.policies.append(policy.name)
        names = [(name, LEVELS[name]) for name in levels] or [("avx512", isa.target())]
        return [
            Work(
                Choice(ISAS[name], target),
                bool(levels),
                [each for each in ("one", "two") if not self._file(name, target, each).exists()],
            )
            for name, target in names
        ]

    def _file(self, name: str, target: entries.Target, kernel: str) -> Path:
        return entries.directory(name, target) / kernel

    def compile_missing(self, todo: Sequence[Work], advance: Callable[[int], None]) -> None:
        for choice, _, missing in todo:
            for kernel in missing:
                path = self._file(choice.isa.name, choice.target, kernel)
                entries.write(path, b"key", bytes(600_000))
                advance(1)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    made_up = Machine()
    monkeypatch.setattr(warmup, "works", made_up.works)
    monkeypatch.setattr(warmup, "compile_missing", made_up.compile_missing)
    monkeypatch.setattr(warmup, "kernels", lambda policy: {"one": None, "two": None})
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(tmp_path / "usual"))  # undone, whatever a run sets
    return made_up


def test_this_machine(npbert: Npbert, machine: Machine, tmp_path: Path) -> None:
    code, out, err = npbert("warmup")
    assert (code, err) == (0, "npbert: compiling 2 kernels ...\n")
    first, where, count = out.splitlines()
    assert first == "avx512 (this machine's): 2 kernels, 2 compiled now, 1.2 MB"
    assert where == f"kept in {tmp_path / 'usual' / 'kernels'}"
    assert re.fullmatch(r"2 compiled in \d+\.\d s", count)
    assert (machine.asked, machine.policies) == ([[]], ["float32"])


def test_kernels_of_a_dtype(npbert: Npbert, machine: Machine) -> None:
    assert npbert("warmup", "--dtype", "mixed_bfloat16", "--isa", "avx2").code == 0
    assert (machine.asked, machine.policies) == ([["avx2"]], ["mixed_bfloat16"])
    done = npbert("warmup", "--dtype", "int8")
    assert done.code == 2
    assert "bfloat16_from_float32" in done.err


def test_a_second_run_has_nothing_to_do(npbert: Npbert, machine: Machine, tmp_path: Path) -> None:
    npbert("warmup")
    assert npbert("warmup") == (
        0,
        "avx512 (this machine's): 2 kernels, all there, 1.2 MB\n"
        f"kept in {tmp_path / 'usual' / 'kernels'}\n",
        "",
    )


def test_levels_in_a_directory_for_others(npbert: Npbert, machine: Machine, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    code, out, _ = npbert("warmup", "--isa", "avx512, avx2", "--dir", shipped)
    assert code == 0
    lines = out.splitlines()
    assert lines[:3] == [
        "avx512: 2 kernels, 2 compiled now, 1.2 MB",
        "avx2: 2 kernels, 2 compiled now, 1.2 MB",
        f"kept in {shipped / 'kernels'}",
    ]
    assert lines[-1] == f"To use them: NPBERT_CACHE_DIR={shipped}"
    assert machine.asked == [["avx512", "avx2"]]
    assert os.environ["NPBERT_CACHE_DIR"] == str(shipped)  # for the processes that compile
    files = [path for path in shipped.rglob("*") if path.is_file()]
    assert len(files) == 4
    if os.name != "nt":
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}
        assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o755}
    assert not (tmp_path / "usual").exists()


def test_the_usual_place_stays_private(npbert: Npbert, machine: Machine, tmp_path: Path) -> None:
    npbert("warmup")
    files = [path for path in (tmp_path / "usual").rglob("*") if path.is_file()]
    if os.name != "nt":
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_line_says_what_was_there(npbert: Npbert, machine: Machine) -> None:
    npbert("warmup", "--isa", "avx2")
    choice = Choice(ISAS["avx2"], LEVELS["avx2"])
    assert _line(Work(choice, True, []), 2) == "avx2: 2 kernels, all there, 1.2 MB"
    assert _line(Work(choice, True, ["one"]), 2) == "avx2: 2 kernels, 1 compiled now, 1.2 MB"


def test_a_bar_on_a_terminal(
    npbert: Npbert, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("npbert.cli.warmup.sys.stderr.isatty", lambda: True, raising=False)
    done = npbert("warmup")
    assert done.code == 0
    assert "Compiling kernels" in done.err
    assert "2/2" in done.err


@pytest.mark.parametrize("listed", ["neon9", "", "avx2,"])
def test_an_unknown_level(npbert: Npbert, listed: str) -> None:
    done = npbert("warmup", "--isa", listed)
    assert (done.code, done.out) == (1, "")
    assert "is no instruction set of npbert" in done.err


def test_a_directory_that_cannot_be_used(
    npbert: Npbert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NPBERT_CACHE_DIR", "")
    done = npbert("warmup", "--dir", tmp_path / "file")
    assert (done.code, done.out) == (1, "")
    assert "npbert: compiled kernels cannot be kept there." in done.err
    assert "fix:      name another one: npbert warmup --dir DIR" in done.err
    assert "Traceback" not in done.err
