"""The least that still parts two sides."""

from __future__ import annotations

import dataclasses

import goldens
import pytest
from parity import text_side
from parity.sides import golden
from parity.text_side import TEXTS, TextSide

from npbert.parity.compare import compare
from npbert.parity.shrink import first_layers, shortest, shrink
from npbert.parity.sources.of_npbert import NpbertSource

CASE = "deep"
WEIGHTS = text_side.weights()


@pytest.mark.parametrize("needed", [{3}, {0, 11}, {2, 5, 6}, set(range(12))])
def test_what_is_needed_is_what_is_left(needed):
    assert shortest(range(12), lambda left: needed <= set(left)) == sorted(needed)


def test_one_item_is_always_left():
    assert shortest("abc", lambda left: True) == ["c"]
    assert shortest("a", lambda left: True) == ["a"]


def test_no_time_is_no_change():
    assert shortest("abc", lambda left: True, deadline=0.0) == ["a", "b", "c"]


def test_a_row_of_ids():
    """The activation differs at every token: one is enough, and one layer."""
    a = golden(CASE, name="golden:deep")
    b = dataclasses.replace(a, config=dataclasses.replace(a.config, activation="gelu"), name="b")
    inputs = goldens.inputs(CASE)
    report = compare(a, b, inputs=inputs)
    found = shrink(report, a, b, inputs)
    assert found.stage == report.first == "layer.0.activation"
    assert {array.shape for array in found.inputs.values()} == {(1, 1)}
    assert found.num_layers == 1
    assert 1e-5 < found.apart < 5e-4
    assert "The first layer is enough." in found.script.replace("\n# ", " ")
    assert "open_source('golden:deep').run(inputs)['layer.0.activation']" in found.script
    assert report.diagnosis.sentence.split()[0] in found.script
    assert len(found.script.splitlines()) < 25
    compile(found.script, "script", "exec")


@pytest.mark.kernel
def test_layers_are_left_out_where_only_outputs_are_shown():
    a, b = (NpbertSource(goldens.backbone(CASE)) for _ in range(2))
    weights = dict(a.weights())
    name = "transformer_layer_1/feedforward_output_dense/bias"
    other = type(goldens.backbone(CASE)).from_weights(
        a.config, {**weights, name: weights[name] * 3}, num_threads=1
    )
    b = NpbertSource(other)
    for side in (a, b):
        side.run = lambda inputs, side=side: {"sequence_output": _last(side, inputs)}
    inputs = goldens.inputs(CASE)
    report = compare(a, b, inputs=inputs)
    assert report.first == "sequence_output"
    assert shrink(report, a, b, inputs).num_layers == 2


def _last(side, inputs):
    return side.backbone(dict(inputs))["sequence_output"]


@pytest.mark.kernel
def test_only_some_sides_can_be_taken_apart():
    assert first_layers(golden(CASE), 1) is None
    side = first_layers(NpbertSource(goldens.backbone(CASE)), 2)
    assert side.config.num_layers == 2


@pytest.mark.parametrize(
    ("wrong", "stage", "text"),
    [({"lowercase": False}, "text.tokens", "Mill"), ({"pooling": "cls"}, "text.vector", "l")],
)
def test_a_text(wrong, stage, text):
    a, b = TextSide(WEIGHTS, name="one"), TextSide(WEIGHTS, name="other", **wrong)
    report = compare(a, b, texts=TEXTS)
    report = dataclasses.replace(report, first="text.vector")
    found = shrink(report, a, b, None, TEXTS)
    assert found.stage == stage
    assert found.text == text
    assert f"text = {found.text!r}" in found.script
    assert found.num_layers is None


def test_a_record_knows_no_smaller_inputs():
    a = golden(CASE)
    b = dataclasses.replace(a, recorded=goldens.inputs(CASE))
    assert shrink(compare(a, b), a, b, goldens.inputs(CASE)) is None


def test_sides_that_agree():
    a = golden(CASE)
    inputs = goldens.inputs(CASE)
    assert shrink(compare(a, a, inputs=inputs), a, a, inputs) is None
