"""Vectors as strips."""

from __future__ import annotations

import numpy as np
import pytest

from npbert import viz
from npbert.errors import InputError

from .drawn import TOKENS, small_cache, words

pytestmark = pytest.mark.filterwarnings("default")


def test_strips_with_their_values() -> None:
    figure = viz.strip([[0.125, -2], [3, 4]], ["the", "bank"], "two vectors")
    assert words(figure)[:2] == ["the", "bank"]
    assert {"0.12", "-2.00", "3.00", "4.00"} < set(words(figure))
    assert figure.alt == (
        "two vectors, a strip of 2 values each: the, bank. The values are from -2.00 to 4.00."
    )


def test_whole_numbers_are_written_as_such() -> None:
    assert {"1", "0"} < set(words(viz.strip([[True, False]], ["mask"])))


def test_long_vectors_have_a_scale_instead() -> None:
    figure = viz.strip(np.linspace(0, 1, 40), ["one"])
    assert len(figure.axes) == 2
    assert "0.03" not in words(figure)


def test_what_is_not_finite_takes_no_shades_from_the_rest() -> None:
    figure = viz.strip([[np.nan, -2.0], [np.inf, 1.0]], ["one", "two"])
    assert figure.axes[0].images[0].get_clim() == (-2, 2)
    assert figure.alt.endswith("The values are from -2.00 to 1.00.")


@pytest.mark.parametrize("array", [np.zeros((2, 3)), np.zeros((1, 2, 3))])
def test_what_is_no_matrix_of_that_many_rows(array: np.ndarray) -> None:
    with pytest.raises(InputError, match="strips need a matrix"):
        viz.strip(array, ["one"])


@pytest.mark.kernel
def test_the_sum_of_embeddings() -> None:
    figure = viz.embedding_sum(small_cache(), TOKENS, row=1)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [
        *("token", "+ position", "+ segment", "= sum", "layer norm"),
    ]
    names = ("token", "position", "segment", "sum", "layer_norm")
    for axes, name in zip(panels, names, strict=True):
        expected = small_cache()[f"embeddings.{name}"][1, :5]
        np.testing.assert_allclose(axes.images[0].get_array(), expected)
    scales = [axes.images[0].get_clim()[1] for axes in panels]
    assert len(set(scales[:4])) == 1
    assert scales[4] > scales[3]
    assert "token plus position plus segment is the sum" in figure.alt
