"""Conversions: once for all engines, in a process of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from bench.engines.fakes import setup

from npbert.bench.engines import convert


@pytest.fixture
def commands(monkeypatch):
    """The conversions that were started; each writes its kind into its file."""
    kinds = []

    def run(command, **_):
        _, _, _, kind, _, path = command
        kinds.append(kind)
        Path(path).write_text(kind)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(convert.subprocess, "run", run)
    return kinds


def test_each_is_made_once(commands, tmp_path):
    for _ in range(2):
        path = convert.converted(setup(tmp_path), "exported.onnx")
    assert (path.read_text(), commands) == ("exported.onnx", ["exported.onnx"])
    assert [each.name for each in path.parent.iterdir()] == ["exported.onnx"]


def test_what_is_fused_is_exported_first(commands, tmp_path):
    convert.converted(setup(tmp_path), "fused.onnx")
    assert commands == ["exported.onnx", "fused.onnx"]


def test_a_failure_has_the_last_line_that_was_printed(monkeypatch, tmp_path):
    failed = subprocess.CompletedProcess([], 1, stderr="Traceback\nImportError: no onnx\n")
    monkeypatch.setattr(convert.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(
        RuntimeError, match=r"conversion to ctranslate2 failed: ImportError: no onnx"
    ):
        convert.converted(setup(tmp_path), "ctranslate2")


def test_every_kind_has_its_function():
    assert list(convert.KINDS) == ["exported.onnx", "fused.onnx", "ctranslate2"]
