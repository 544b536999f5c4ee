"""Attention as maps and as lines."""

from __future__ import annotations

import numpy as np
import pytest

from npbert import viz
from npbert.errors import InputError

from .drawn import HEADS, LAYERS, TOKENS, T, small_cache, words

pytestmark = [pytest.mark.kernel, pytest.mark.filterwarnings("default")]


def cache_of(probs: list[list[float]]) -> dict[str, np.ndarray]:
    """One layer, one head."""
    return {"layer.0.probs": np.array([[probs]])}


def test_one_head_with_its_values() -> None:
    figure = viz.attention(small_cache(), TOKENS, 2, 1, row=1)
    shown = words(figure)
    assert shown.count("bank") == 2
    probs = small_cache()["layer.2.probs"][1, 1, :5, :5]
    assert [f"{value:.2f}" for value in probs.ravel()] == [w for w in shown if w[:2] == "0."][:25]
    assert "layer 2, head 1" in shown


def test_words_say_who_is_looked_at_most() -> None:
    figure = viz.attention(cache_of([[0.25, 0.75], [0.9, 0.1]]), ["river", "bank"], 0, 0)
    assert figure.alt == (
        "Attention of layer 0, head 0 as a heat map."
        " Most looked at: river at bank (0.75), bank at river (0.90)."
    )


def test_a_long_text_has_no_values_in_its_cells() -> None:
    probs = np.full((20, 20), 1 / 20)
    figure = viz.attention({"layer.0.probs": probs[None, None]}, ["a"] * 20, 0, 0)
    assert "0.05" not in words(figure)


def test_lines_are_thicker_for_more() -> None:
    figure = viz.lines(cache_of([[0.005, 0.995], [0.5, 0.5]]), ["river", "bank"], 0, 0)
    drawn = figure.axes[0].lines
    assert [line.get_linewidth() for line in drawn] == pytest.approx([3.98, 2, 2])
    assert words(figure).count("river") == 2
    assert "as lines" in figure.alt


def test_all_heads() -> None:
    figure = viz.heads(small_cache(), TOKENS, row=1)
    assert len(figure.axes) == LAYERS * HEADS
    image = figure.axes[3].images[0].get_array()
    np.testing.assert_allclose(image, small_cache()["layer.1.probs"][1, 1, :5, :5])
    assert "3 layers with 2 heads each, of the tokens [CLS] the river bank" in figure.alt


def test_the_heads_of_one_layer() -> None:
    figure = viz.heads(small_cache(), ["x"] * T, 2)
    assert len(figure.axes) == HEADS
    assert {"layer 2", "head 0", "head 1"} == set(words(figure))
    assert "1 layer with 2 heads" in figure.alt


@pytest.mark.parametrize(
    ("layer", "head", "message"),
    [(3, 0, r"layer\.3\.probs"), (0, 2, "no such head"), (0, -1, "no such head")],
)
def test_what_is_not_there(layer: int, head: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        viz.attention(small_cache(), TOKENS, layer, head)


def test_a_cache_without_layers() -> None:
    with pytest.raises(InputError, match=r"layer\.0\.probs"):
        viz.heads({"embeddings.sum": np.zeros((1, 2, 3))}, ["a"])
