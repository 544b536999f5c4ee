"""Figures, their alternative text, and heat maps."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from npbert import viz
from npbert.errors import DependencyError
from npbert.viz.figures import heat_map, new_figure

from .drawn import svg, words

pytestmark = pytest.mark.filterwarnings("default")  # matplotlib's own


def test_a_notebook_gets_svg_and_words() -> None:
    figure = viz.alt(new_figure(2, 1), 'two & "three"')
    shown = figure._repr_mimebundle_(include=None, exclude=None)
    assert shown.keys() == {"image/svg+xml", "text/plain"}
    assert shown["text/plain"] == 'Picture: two & "three"'
    root = ET.fromstring(shown["image/svg+xml"])
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'two & "three"'
    assert "max-width: 100%" in root.attrib["style"]
    assert root[0].tag.endswith("title")
    assert root[0].text == 'two & "three"'


def test_words_can_be_set_again() -> None:
    figure = viz.alt(new_figure(2, 1), "first")
    assert viz.alt(figure, "second") is figure
    assert figure.alt == "second"
    assert "first" not in svg(figure)


def test_the_same_figure_has_the_same_bytes() -> None:
    once, again = (svg(viz.strip(np.eye(3), list("abc"))) for _ in range(2))
    assert once == again
    assert "<metadata>" not in once


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(DependencyError, match=r"a picture needs matplotlib(.|\n)*notebooks"):
        new_figure(1, 1)


@pytest.mark.parametrize(
    ("values", "signed", "shades"),
    [([[0.0, 2.0]], False, ("Greys", 0, 2)), ([[-3.0, 2.0]], True, ("cividis", -3, 3))],
)
def test_shades(values: Any, signed: bool, shades: Any) -> None:
    axes = new_figure(2, 1).subplots()
    image = heat_map(axes, np.array(values), signed=signed)
    assert (image.cmap.name, *image.get_clim()) == shades


def test_nan_has_no_shade() -> None:
    image = heat_map(new_figure(2, 1).subplots(), np.array([[np.nan, 2.0]]), signed=False)
    assert image.get_clim() == (0, 2)


def test_nothing_but_zeros_has_shades_too() -> None:
    image = heat_map(new_figure(2, 1).subplots(), np.zeros((2, 3)), signed=False)
    assert image.get_clim() == (0, 1)


def test_values_are_written_where_they_can_be_read() -> None:
    axes = new_figure(2, 1).subplots()
    heat_map(axes, np.array([[0.1, 0.9]]), signed=False, most=1, digits=1)
    assert [(t.get_text(), t.get_color()) for t in axes.texts] == [
        ("0.1", "black"),
        ("0.9", "white"),
    ]


def test_a_dollar_is_a_dollar() -> None:
    assert "$5 and $6" in words(viz.strip([1.5], ["$5 and $6"]))
