"""Similarities as maps."""

from __future__ import annotations

import numpy as np
import pytest

from npbert import viz
from npbert.errors import InputError

from .drawn import LAYERS, TOKENS, small_cache, words

pytestmark = pytest.mark.filterwarnings("default")

MATRIX = [[1, 0.2, 0.7], [0.2, 1, -0.1], [0.7, -0.1, 1]]


def test_a_matrix() -> None:
    figure = viz.similarity(MATRIX, ["a cat", "a river", "a dog"], "cosine")
    shown = words(figure)
    assert shown.count("a river") == 2
    assert "-0.10" in shown
    assert figure.alt == "Heat map, cosine. Most alike: a cat and a dog (0.70)."
    assert figure.axes[0].images[0].cmap.name == "cividis"


def test_one_thing() -> None:
    assert viz.similarity([[1.0]], ["a"]).axes[0].images[0].cmap.name == "Greys"


def test_a_matrix_that_does_not_fit() -> None:
    with pytest.raises(InputError, match=r"square matrix(.|\n)*\(3, 3\), 2 labels"):
        viz.similarity(MATRIX, ["a", "b"])


@pytest.mark.kernel
def test_layer_by_layer() -> None:
    figure = viz.similarity_by_layer(small_cache(), TOKENS, row=1)
    maps = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in maps] == [
        "embeddings",
        *(f"after layer {i}" for i in range(LAYERS)),
    ]
    vectors = small_cache()["layer.0.output_layer_norm"][1, :5].astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1)
    expected = vectors @ vectors.T / np.outer(lengths, lengths)
    np.testing.assert_allclose(maps[1].images[0].get_array(), expected)
    assert {axes.images[0].get_clim() for axes in maps} <= {(0, 1), (-1, 1)}
    assert len({axes.images[0].cmap.name for axes in maps}) == 1
    assert figure.alt.startswith("How alike the tokens [CLS] the river bank [SEP] are")


def test_places_that_are_left_over_are_empty() -> None:
    """Five layers need two lines of four."""
    cache = {f"layer.{i}.output_layer_norm": np.ones((1, 2, 3)) for i in range(5)}
    figure = viz.similarity_by_layer(
        {"embeddings.layer_norm": np.ones((1, 2, 3)), **cache}, ["a", "b"]
    )
    assert [axes.get_visible() for axes in figure.axes] == [True] * 6 + [False] * 2
    assert "is 1.00 in the embeddings, then 1.00, 1.00" in figure.alt
