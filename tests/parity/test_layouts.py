"""Heads in one axis, or before the tokens, are no difference."""

from __future__ import annotations

import dataclasses

import goldens
import numpy as np
import pytest
from parity.sides import Side, golden

from npbert.parity import compare, layouts

CASE = "deep"
CONFIG, INPUTS = goldens.config(CASE), goldens.inputs(CASE)
STAGES = dict(golden(CASE).run(INPUTS))
B, T = INPUTS["token_ids"].shape
LAYOUTS = {"(B, T, D)": lambda x: x.reshape(B, T, -1), "(B, N, T, H)": lambda x: x.swapaxes(1, 2)}


def port(change, **settings):
    """One that keeps stages of heads otherwise, and does not say what model it is."""
    of_heads = {name for name in STAGES if name.rpartition(".")[2] in layouts.OF_HEADS}
    stages = {name: change(x) if name in of_heads else x for name, x in STAGES.items()}
    return Side("port", stages=stages, **settings)


@pytest.mark.parametrize("letters", LAYOUTS)
def test_both_are_read(letters):
    found, said = layouts.run(port(LAYOUTS[letters]), INPUTS, CONFIG)
    assert said == [f"heads that come as {letters} are read as (B, T, N, H)"]
    for name, array in STAGES.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_what_is_right_or_unknown_stays():
    wrong = port(lambda x: x[:, :-1])
    for side, config in ((port(np.array), CONFIG), (wrong, CONFIG), (wrong, None)):
        found, said = layouts.run(side, INPUTS, config)
        assert not said
        assert all(found[name] is array for name, array in side.stages.items())


@pytest.mark.parametrize("letters", LAYOUTS)
def test_they_are_compared(letters):
    """The other side's config says how many heads there are."""
    side = port(LAYOUTS[letters])
    report = compare(golden(CASE, np.float64), side, inputs=INPUTS)
    assert report.verdict == "agree", report.first
    assert [note for note in report.notes if note.startswith(f"b: heads that come as {letters}")]
    side.stages["layer.1.value"] = side.stages["layer.1.value"] * np.float32(1.01)
    report = compare(side, golden(CASE, np.float64), inputs=INPUTS)
    assert (report.verdict, report.first, report.side) == ("differ", "layer.1.value", "a")


def test_another_shape_is_what_is_said():
    side = port(lambda x: x[..., :-1])
    report = compare(golden(CASE), side, inputs=INPUTS)
    N, H = CONFIG.num_heads, CONFIG.head_dim
    shapes = f"its shape is {(B, T, N, H)} in a and {(B, T, N, H - 1)} in b"
    assert report.first == "layer.0.query"
    assert report.diagnosis.sentence == f"Cause unknown, first stage layer.0.query: {shapes}."
    side.stages["pooled_output"] = np.roll(side.stages["pooled_output"], 1, -1)
    report = compare(golden(CASE), side, inputs=INPUTS)
    assert report.diagnosis.stage == "pooled_output"


def test_the_config_of_the_side_itself_counts():
    other = dataclasses.replace(CONFIG, num_heads=1)
    side = port(LAYOUTS["(B, T, D)"], config=other)
    assert layouts.run(side, INPUTS, side.config)[0]["layer.0.key"].shape[2] == 1
