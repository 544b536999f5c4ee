"""The parent's side of the pipe, with a real process at the other end."""

from __future__ import annotations

import os
import signal
import time

import pytest

from npbert.bench.engines import ENGINES, NPBERT_AVX2
from npbert.bench.process import EngineError, EngineProcess, environment


@pytest.fixture
def process(tmp_path):
    with EngineProcess(None, 1, tmp_path / "log") as started:
        yield started


def test_it_answers_and_an_error_is_not_the_end(process):
    for _ in range(2):
        with pytest.raises(EngineError, match="KeyError: 'no such job'"):
            process.ask("time", job="no such job", warm=None, calls=1)


def test_a_process_that_is_gone_says_why(process):
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="the process ended with -9: no message"):
        process.ask("peak", threads=1)


def test_a_process_that_hangs_is_ended(process, monkeypatch):
    with pytest.raises(EngineError):
        process.ask("time", job="", warm=None, calls=1)
    os.kill(process._process.pid, signal.SIGSTOP)
    monkeypatch.setattr("npbert.bench.process.PATIENCE", 0.2)
    with pytest.raises(EngineError, match="no answer within 0 s"):
        process.ask("peak", threads=1)
    assert process._process.poll() is not None


def test_what_a_library_prints_is_no_answer(tmp_path):
    """The worker imports npbert, whose kernels may have to be compiled, which says so."""
    with EngineProcess(ENGINES["npbert"], 1, tmp_path / "log") as process:
        load = {"model": str(tmp_path / "none"), "threads": 1, "activation": None}
        with pytest.raises(EngineError, match="ModelFileError: no model at"):
            process.ask("load", **load, scratch=str(tmp_path))
        assert "ModelFileError" in (tmp_path / "log").read_text()


def test_settling_takes_as_long_as_the_pause(process):
    with pytest.raises(EngineError):
        process.ask("time", job="", warm=None, calls=1)
    start = time.monotonic()
    process.settle(0.05)
    assert 0.05 <= time.monotonic() - start < 0.6


def test_threads_and_instruction_sets_are_in_the_environment():
    plain = environment(ENGINES["npbert"], 3, None)
    assert (plain["OMP_NUM_THREADS"], plain["RAYON_NUM_THREADS"]) == ("3", "3")
    assert plain["HF_HUB_OFFLINE"] == "1"
    assert environment(ENGINES["torch-sdpa"], 3, "avx2")["ATEN_CPU_CAPABILITY"] == "avx2"
    assert environment(ENGINES["ctranslate2"], 3, "avx2")["CT2_FORCE_CPU_ISA"] == "AVX2"
    for entry in (None, ENGINES["npbert"]):
        assert NPBERT_AVX2.items() <= environment(entry, 3, "avx2").items()
