"""The error-growth plot."""

from __future__ import annotations

import math

import pytest
from parity.reports import handmade

from npbert.parity.reports.growth import Scale, described, growth

WITH_STAGES = [name for name, make in handmade.ALL.items() if make().stages]


def texts(plot):
    return [each.text for each in plot.iter("text")]


def marks(plot, class_):
    """What the marks say of one kind, without the one of the legend."""
    found = [each for each in plot.iter("path") if each.get("class") == class_]
    return [each[0].text for each in found if len(each)]


@pytest.mark.parametrize("name", WITH_STAGES)
def test_every_stage_has_its_mark_inside_the_plot(name):
    report = handmade.ALL[name]()
    plot = growth(report)
    assert len(marks(plot, "good")) == sum(stage.agrees for stage in report.stages)
    assert len(marks(plot, "bad")) == sum(not stage.agrees for stage in report.stages)
    for line in plot.iter("polyline"):
        for point in line.get("points").split():
            x, y = map(float, point.split(","))
            assert 0 < x < 1000
            assert 0 < y < 372


def test_the_first_stage_is_named():
    plot = growth(handmade.differ(guilty="layer.2.key"))
    assert {"layer.1.activation: first to differ", "layer.2.key: made here"} <= set(texts(plot))
    assert marks(plot, "bad")[0] == "layer.1.activation: 4.70e-04, 57 of the tolerance"
    assert f"{handmade.FIRST}: b's op alone is off by 4.70e-04" in marks(plot, "op-b")


def test_it_has_words_for_who_does_not_see_it():
    plot = growth(handmade.differ())
    assert plot.get("role") == "img"
    assert plot.find("title").text == "Error at each stage"
    assert plot.find("desc").text == described(handmade.differ())
    assert "The first past its tolerance is layer.1.activation: 4.70e-04" in plot.find("desc").text
    assert described(handmade.agree()).endswith("at 0.33 of it.")


def test_few_stages_are_named_below_the_axis():
    few = handmade.differ(stages=handmade.differ().stages[20:40])
    assert texts(growth(few)).count("attention_layer_norm") == 1
    assert "attention_layer_norm" not in texts(growth(handmade.differ()))
    assert {"embeddings", "layer 0", "layer 2", "out"} <= set(texts(growth(handmade.agree())))


def test_zero_and_infinity_have_lanes_of_their_own():
    scale = Scale(-8, -3, 51)
    assert scale.y(math.inf) == scale.y(math.nan) < scale.y(1e-3) < scale.y(1e-8) < scale.y(0.0)
    assert scale.y(1.0) == scale.y(1e-3)
    assert scale.y(1e-300) == scale.y(1e-8)
    assert {"0", "∞, NaN"} <= set(texts(growth(handmade.broken())))
    assert not {"0", "∞, NaN"} & set(texts(growth(handmade.differ())))


def test_a_line_has_gaps_where_nothing_is_known():
    stages = [handmade.stage(name, noise=noise) for name, noise in zip("abcd", (1, None, 2, 3))]
    plot = growth(handmade.agree(stages=stages))
    lines = [each for each in plot.iter("polyline") if each.get("class") == "noise"]
    assert [len(line.get("points").split()) for line in lines] == [1, 2, 2]  # the last: the legend


def test_nothing_but_zeros():
    zeros = [handmade.stage("x", error=0.0, tolerance=0.0, noise=0.0, local=(0.0, None), bulk=None)]
    assert marks(growth(handmade.agree(stages=zeros)), "good") == ["x: 0, 0 of the tolerance"]
