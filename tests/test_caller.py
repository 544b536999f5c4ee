"""A warning points at the line outside npbert."""

from __future__ import annotations

import warnings

import pytest

from npbert import caller
from npbert.caller import warn_caller


def test_it_points_here() -> None:
    with pytest.warns(UserWarning, match=r"^mind the mill$") as caught:
        warn_caller("mind the mill")
    assert caught[0].filename == __file__


def test_npberts_own_lines_are_passed_over() -> None:
    source = "def outer(): inner()\ndef inner(): warn_caller('mind the mill')"
    ours = {"__name__": "npbert.tasks.embedder", "warn_caller": warn_caller}
    exec(compile(source, "embedder.py", "exec"), ours)
    with pytest.warns(UserWarning, match="mind the mill") as caught:
        ours["outer"]()  # type: ignore[operator]
    assert caught[0].filename == __file__


def test_where_everything_is_npbert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "_is_ours", lambda frame: True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_caller("mind the mill")
    assert len(caught) == 1
