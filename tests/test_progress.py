"""The bar on stderr: when it shows and when it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from npbert import progress as module
from npbert.progress import progress


def run(show: bool | None) -> None:
    with progress("Embedding texts", 3, show) as advance:
        for _ in range(3):
            advance(1)


def test_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    run(True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Embedding texts" in err
    assert "3/3" in err


@pytest.mark.parametrize("show", [False, None])
def test_silent_otherwise(show: bool | None, capsys: pytest.CaptureFixture[str]) -> None:
    run(show)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("moment", "shown"), [(60.0, False), (0.0, True)])
def test_on_a_terminal_it_waits_a_moment(
    moment: float, shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "A_MOMENT", moment)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run(None)
    assert ("Embedding texts" in capsys.readouterr().err) is shown


def test_an_error_inside_passes_through() -> None:
    def work() -> None:
        with progress("Work", 2, True) as advance:
            advance(1)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        work()


def test_rich_is_imported_only_for_a_bar() -> None:
    code = (
        "import sys; from npbert.progress import progress\n"
        "with progress('x', 1, None) as advance: advance(1)\n"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_unknown_total_and_a_late_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Embedding texts", None, True, done=5) as advance:
        advance(2)
    assert "7/?" in capsys.readouterr().err
