"""Engines' processes over a run."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from npbert.bench import session as sessions
from npbert.bench.engines import ENGINES
from npbert.bench.process import EngineError
from npbert.bench.session import Session, Settings, cpus_for

NPBERT = ENGINES["npbert"]


@pytest.mark.kernel
def test_an_engine_is_started_once_and_ended_with_the_run():
    with Session(Settings(("npbert",), (1,))) as opened:
        model = opened.model("tiny")
        process = opened.engine(NPBERT, model, 1)
        assert opened.engine(NPBERT, model, 1) is process
        other = opened.engine(NPBERT, model, 1, caller=0)
        assert other is not process
        assert opened.engines.settings["npbert"]["activation"] == "gelu"
        opened.release(other)
        assert other._process.poll() is not None
        assert opened.engine(NPBERT, model, 1) is process
        opened.release(process)
        assert process._process.poll() is not None
        again = opened.engine(NPBERT, model, 1)
        assert again is not process
    assert again._process.poll() is not None
    assert not opened.scratch.exists()


@pytest.mark.kernel
def test_one_models_engines_at_a_time(tmp_path):
    with Session(Settings(("npbert",), (1,))) as opened:
        model = opened.model("tiny")
        one, caller = opened.engine(NPBERT, model, 1), opened.engine(NPBERT, model, 1, caller=0)
        opened.keep(model)
        assert opened.engine(NPBERT, model, 1) is one
        assert (one._process.poll(), caller._process.poll()) == (None, -9)
        opened.keep(tmp_path)
        assert one._process.poll() == -9


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
def test_a_run_that_is_told_to_end_cleans_up():
    before = signal.getsignal(signal.SIGTERM)
    opened = Session(Settings(("npbert",), (1,)))

    def told_to_end():
        with opened:
            opened.yardstick()
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit, match="143"):
        told_to_end()
    assert not opened.scratch.exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_engine_that_does_not_load_is_not_tried_again(monkeypatch):
    with Session(Settings(("npbert",), (1,))) as opened:
        for _ in range(2):
            with pytest.raises(EngineError, match="ModelFileError: no model at"):
                opened.engine(NPBERT, opened.scratch / "none", 1)
            monkeypatch.setattr(sessions, "EngineProcess", None)


def test_who_is_absent_and_why(monkeypatch):
    monkeypatch.setattr(
        sessions, "why_not", lambda e: "not installed" if e.name == "torch-sdpa" else None
    )
    settings = Settings(("npbert", "torch-sdpa", "openvino"), (1,), isa="avx2")
    with Session(settings) as opened:
        assert [entry.name for entry in opened.entries] == ["npbert"]
        assert opened.engines.absent == {
            "torch-sdpa": "not installed",
            "openvino": "cannot be kept from AVX-512",
        }


def test_cpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {7, 3, 5}, raising=False)
    assert cpus_for(2) == [3, 5]
    assert cpus_for(3) is None
    assert [cpus_for(1, caller) for caller in (0, 2, 3)] == [[3], [7], [3]]
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cpus_for(1) is None


def test_what_begins_is_said_where_there_is_no_terminal(capsys):
    with Session(Settings(("npbert",), (1,))) as opened, opened.bar("a race", 3) as advance:
        advance(3)
    assert capsys.readouterr().err == "npbert bench: a race\n"
    assert not Path(opened.scratch).exists()
