"""The table of a source's invariance."""

from __future__ import annotations

import pytest

from npbert.parity.changes import Change
from npbert.parity.invariance import Invariance
from npbert.parity.reports import invariant

SAME = Change("order", "the rows in reverse", 49, True)
OTHER = Change(
    "batch size", "each row by itself", 49, False, "layer.0.query", "layer.2.output", 3e-7, 12.0
)


@pytest.mark.parametrize("change", [SAME, OTHER])
def test_each_change_has_its_line(change, capsys):
    from rich.console import Console

    found = Invariance("onnx:x", "onnx", [change, SAME], notes=["no threads\x07"])
    Console(width=160, color_system=None).print(invariant.screen(found))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{'✔' if change is SAME else '✘'} {invariant.headline(found)}"
    assert any(change.how in line and invariant.told(change) in line for line in lines)
    assert "note: no threads\\x07" in lines[-1]


def test_words():
    assert invariant.told(SAME) == "the same bits at 49 stages"
    assert invariant.told(OTHER) == (
        "other bits from layer.0.query on; at most 3.00e-07, at layer.2.output; 1.20e+01 ULP"
    )
    found = Invariance("onnx:x", "onnx", [OTHER, OTHER, SAME])
    assert invariant.headline(found) == "onnx:x (onnx) gives other numbers with other batch size."
