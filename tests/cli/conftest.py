"""Run ``npbert`` in this process, as its console script would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from text.tiny_model import write_tiny_model

from npbert.cli import main


class Done(NamedTuple):
    """How a run of the command ended."""

    code: int
    out: str
    err: str


Npbert = Callable[..., Done]


@pytest.fixture
def npbert(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Npbert:
    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["npbert", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, out, err)

    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    return run


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
