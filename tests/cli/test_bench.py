"""``npbert bench``, with npbert alone: the peers are in ``tests/live/test_bench.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from npbert.bench.engines import ENGINES

from .conftest import Npbert

QUICK = ("bench", "--quick", "--engines", "npbert")


@pytest.mark.kernel
@pytest.mark.slow
def test_a_quick_run_and_its_files(npbert: Npbert, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("j.json", "s.json", "t.md", "p.svg")}
    j, s, t, p = files.values()
    done = npbert(
        *QUICK, "--threads", "1,2", "--json", j, "--save", s, "--markdown", t, "--plot", p
    )
    assert done.code == 0, done.err
    for title in ("tiny-2x19", "tiny-ragged", "tiny-text", "npbert's ops one by one", "accuracy"):
        assert title in done.out
    record = json.loads(s.read_text())
    assert [race["work"] for race in record["races"]] == ["tiny-2x19", "tiny-ragged", "tiny-text"]
    rows = [row for race in record["races"] for row in race["rows"]]
    assert len(rows) == 6
    assert all(row["error"] is None and row["seconds"] for row in rows)
    assert set(record["reproducibility"]["npbert"].values()) == {"all"}
    assert "SHA-256 of the texts" in record["races"][2]["notes"][0]
    assert "machine" in record
    assert "machine" not in json.loads(j.read_text())
    assert t.read_text().startswith("### tiny-2x19\n")
    assert "<svg" in p.read_text()
    assert {each.name for each in tmp_path.iterdir()} == set(files)


@pytest.mark.kernel
@pytest.mark.slow
def test_avx2(npbert: Npbert, tmp_path: Path) -> None:
    record = tmp_path / "r.json"
    done = npbert("bench", "--work", "tiny-2x5", "--engines", "npbert,openvino", "--isa", "avx2",
                  "--rounds", 1, "--pause", 0, "--json", record)  # fmt: skip
    assert done.code == 0, done.err
    engines = json.loads(record.read_text())["engines"]
    assert engines["npbert"]["settings"]["kernels"] == "avx2"
    assert engines["openvino"]["absent"] in (
        "cannot be kept from AVX-512",
        "not installed: pip install " + " ".join(ENGINES["openvino"].missing),
    )


def test_help_teaches(npbert: Npbert) -> None:
    done = npbert("bench", "--help")
    assert done.code == 0
    for example in ("bench --quick", "--work lengths,batches --plot", "--isa avx2", "--save"):
        assert example in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--isa", "sse"), "only avx2 can be forced"),
        (("--threads", "two"), "numbers with commas between"),
        (("--rounds", "0"), "--rounds"),
        (("--json", "no/such/directory/r.json"), "directory does not exist"),
    ],
)
def test_wrong_usage_is_2(npbert: Npbert, arguments: tuple[str, ...], message: str) -> None:
    done = npbert("bench", *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in " ".join(done.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engines", "tensorrt"), "the bench knows no such engine"),
        (("--work", "everything"), "the bench knows no such work"),
        (("--work", "gpt-2x3"), "the bench has no such model"),
        (("--threads", "0"), "the number of threads must be a whole number"),
        (("--plot", "p.gif"), "a plot is a .png or .svg file"),
    ],
)
def test_an_error_explains_itself(npbert: Npbert, arguments: tuple[str, ...], message: str) -> None:
    done = npbert("bench", *arguments)
    assert done.code == 1
    assert done.err.startswith(f"npbert: {message}")


def test_other_verbs_do_not_pay_for_it() -> None:
    code = (
        "import sys, npbert.cli; sys.exit(any(n.startswith('npbert.bench') for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
