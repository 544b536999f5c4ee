"""The report on the screen."""

from __future__ import annotations

import io

import pytest
from parity.reports import handmade
from rich.console import Console

from npbert.parity.reports import terminal


@pytest.mark.parametrize("name", handmade.ALL)
def test_every_report_can_be_shown(name):
    shown = terminal.render(handmade.ALL[name]())
    assert max(map(len, shown.splitlines())) <= 100
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_the_verdict_and_the_diagnosis_come_first():
    first, second, third, *_ = terminal.render(handmade.differ()).splitlines()
    assert first.startswith("✘ a and b differ from layer.1.activation on: 4.70e-04")
    assert second.startswith("  b's layer.1.activation is GELU by tanh")
    assert third.startswith("  Fix: set hidden_act to gelu")


def test_the_first_stage_is_marked():
    lines = terminal.render(handmade.differ(guilty="layer.2.key")).splitlines()
    (first,) = [line for line in lines if "▶ layer" in line]
    assert "layer.1.activation            4.7e-04  ████████▏▶▶" in first
    (made,) = [line for line in lines if "● " in line and "layer" in line]
    assert "layer.2.key" in made
    assert any("… 24 more stages" in line for line in lines)


def test_the_table_fits_80_columns():
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(terminal.screen(handmade.differ()))
    assert "layer.1.attention_layer_norm  2.6e-06" in console.file.getvalue()
    assert "2.0e-08  4.7e-04" in console.file.getvalue()


def test_colour():
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    console.print(terminal.screen(handmade.differ()))
    assert "\x1b[1;31m▶ layer.1.activation" in console.file.getvalue()


@pytest.mark.parametrize(
    ("share", "bar"),
    [
        *[(0, "        ▏"), (1e-9, "▏       ▏"), (0.5, "████    ▏"), (1, "████████▏")],
        *[(1.01, "████████▏▶"), (99, "████████▏▶▶"), (1e30, "████████▏▶▶▶▶")],
    ],
)
def test_bars(share, bar):
    stage = handmade.stage("x", tolerance=1.0, bulk=None, error=float(share))
    assert terminal.bar(stage) == bar


def test_the_bar_of_other_shapes_is_full():
    assert terminal.bar(handmade.not_comparable().stages[0]) == "████████▏▶▶▶▶"
