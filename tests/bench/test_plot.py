"""The figure."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from bench.results import race, row

from npbert.bench import plot
from npbert.errors import ConfigError, DependencyError

pytestmark = pytest.mark.filterwarnings("default")  # matplotlib's own


def races():
    rows = row("npbert", 0.1), row("openvino", 0.2), row("broken", error="no")
    names = ["bert-base-8x128", *(f"bert-base-1x{T}" for T in (8, 16, 32, 64))]
    return [race(*rows, work=name) for name in names]


def test_bars_and_a_curve():
    file = io.BytesIO()
    plot.draw(races(), file, "svg")
    drawn = file.getvalue().decode()
    for words in ("bert-base-8x128", "openvino", "2.00x", "tokens of one sequence"):
        assert f"<!-- {words}" in drawn or f"<!--   {words}" in drawn, words
    assert "broken" not in drawn


def test_png():
    file = io.BytesIO()
    plot.draw(races()[:1], file, "png")
    assert file.getvalue().startswith(b"\x89PNG")


def test_nothing_to_draw():
    plot.draw([], io.BytesIO(), "png")


def test_other_formats():
    with pytest.raises(ConfigError, match=r"a plot is a \.png or \.svg file"):
        plot.check(Path("p.gif"))


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DependencyError, match=r"npbert\[bench\]"):
        plot.check(Path("p.png"))
