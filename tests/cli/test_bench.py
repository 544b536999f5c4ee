"""``npbert bench``, with npbert alone: the peers are in ``tests/live/test_bench.py``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from npbert.bench.engines import ENGINES
from npbert.errors import NpbertError

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


def test_other_verbs_do_not_pay_for_it() -> None:
    code = (
        "import sys, npbert.cli; sys.exit(any(n.startswith('npbert.bench') for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


NO_FILE = "the file could not be written in the end."
A_FILE = "a file, or a new name in a directory that can be written to"
ANOTHER = "make the directory, or name another file"
SIZE = "at least 1 x 1, and at most 512 tokens"


def too_small(option: str, value: int, least: int) -> tuple[object, ...]:
    """What a number is told."""
    expected, fix = f"a whole number, {least} or more", f"leave {option} out for the usual one"
    return f"{option} is too small.", option, value, expected, fix


def nothing(option: str, value: str) -> tuple[object, ...]:
    """What an empty list is told."""
    fix = f"leave {option} out for the usual ones"
    return f"{option} names nothing.", option, repr(value), "one or more, with commas between", fix


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--work", "everything", (
            "the bench knows no such work.", "--work", "everything",
            "shapes, ragged, text, lengths, batches, quick,"
            " or MODEL-8x128, MODEL-ragged, MODEL-text",
            "name some of these, for instance bert-base-8x128",
        )),
        ("--work", "gpt-2x3", (
            "the bench has no such model.", "work gpt-2x3", "gpt", "bert-base, minilm, tiny",
            "begin the work's name with one of these",
        )),
        *(
            ("--work", f"bert-base-{shape}", (
                "the model cannot take this shape.", f"work bert-base-{shape}",
                shape.replace("x", " x "), SIZE, "for instance bert-base-1x512",
            ))
            for shape in ("0x5", "5x0", "1x9999")
        ),
        ("--work", "", nothing("--work", "")),
        ("--engines", "tensorrt", (
            "the bench knows no such engine.", "--engines", "tensorrt",
            ", ".join(name for name, entry in ENGINES.items() if entry.race),
            "name some of these, or leave --engines out for all of them",
        )),
        ("--engines", "", nothing("--engines", "")),
        ("--engines", " , ", nothing("--engines", " , ")),
        ("--threads", "", nothing("--threads", "")),
        *(
            ("--threads", value, (
                "the numbers of threads cannot be read.", "--threads", repr(value),
                "whole numbers with commas between, such as 1,2",
                "leave --threads out for as many as npbert would use",
            ))
            for value in ("x", "1,-2", "1.5", "２", "9" * 10)
        ),
        ("--threads", "1,0", (
            "the number of threads must be a whole number.", "num_threads", 0, "1 to 1024",
            "leave it unset to use every CPU this process may",
        )),
        *(
            ("--isa", value, (
                "only avx2 can be forced.", "--isa", repr(value), "avx2",
                "leave --isa out to let every engine use what the CPU has",
            ))
            for value in ("avx512", "")
        ),
        ("--rounds", "0", too_small("--rounds", 0, 1)),
        ("--pause", "-1", too_small("--pause", -1, 0)),
        ("--seed", "-7", too_small("--seed", -7, 0)),
        *(
            ("--plot", value, (
                "a plot is a .png or .svg file.", "--plot", value,
                "a name that ends in .png or .svg", "for instance p.svg",
            ))
            for value in ("p.gif", "p")
        ),
        *(
            (option, value, (NO_FILE, option, value, A_FILE, ANOTHER))
            for option in ("--json", "--markdown", "--save", "--plot")
            for value in ("no/such/x.svg", os.devnull, ".", "n" * 300)
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_once(
    npbert: Npbert,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    option: str,
    value: str,
    told: tuple[str, ...],
) -> None:
    """Before a session begins, which would make models and start processes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("npbert.bench.run.Session", None)
    what, where, received, expected, fix = told
    error = NpbertError(what, where=where, received=received, expected=expected, fix=fix)
    assert npbert("bench", option, value) == (1, "", f"npbert: {error}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [("--save",), ("--rounds", "x"), ("--sead", "1")])
def test_wrong_usage_is_2(npbert: Npbert, arguments: tuple[str, ...]) -> None:
    done = npbert("bench", *arguments)
    assert (done.code, done.out) == (2, "")
    assert arguments[0] in done.err
