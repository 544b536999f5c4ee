"""How alike vectors are: one matrix, and the tokens of a text from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from npbert.errors import InputError
from npbert.ops.pooling import l2_normalize
from npbert.viz.figures import FEW, SMALL, alt, heat_map, new_figure
from npbert.viz.stages import StageCache, Values, check_tokens, num_layers, numbers, stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def similarity(matrix: ArrayLike, labels: Sequence[str], title: str = "similarity") -> Figure:
    """A matrix of similarities as a heat map; its values are written in it when it is small.

    Args:
        matrix: (n, n), each thing with each.
        labels: n names.
        title: what stands above it.

    Raises:
        InputError: the matrix is not (n, n).
        DependencyError: matplotlib is not installed.
    """
    values = numbers(matrix, "matrix")
    n = len(labels)
    if values.shape != (n, n):
        raise InputError(
            "a similarity map needs a square matrix and a label for each of its rows.",
            received=f"{values.shape}, {n} labels",
        )
    width = 1.2 + 0.5 * n + 0.06 * max(map(len, labels), default=0)
    figure = new_figure(min(width, 9), min(width - 0.4, 8))
    axes = figure.subplots()
    digits = 2 if n <= FEW else None
    signed = bool((values < 0).any())
    heat_map(axes, values, rows=labels, columns=labels, signed=signed, most=1, digits=digits)
    axes.set_title(title, fontsize=SMALL + 1)
    return alt(figure, f"Heat map, {title}. {_closest(values, labels)}")


def similarity_by_layer(cache: StageCache, tokens: Sequence[str], *, row: int = 0) -> Figure:
    """The cosine of each token's vector with each other's: after the embeddings, and each layer.

    Args:
        cache: what `BertBackbone.run_with_cache` gives.
        tokens: of the sequence, as text; without its padding if you like.
        row: which sequence of the batch.

    Raises:
        InputError: the cache lacks a layer's output, or tokens do not fit it.
        DependencyError: matplotlib is not installed.
    """
    names = ["embeddings.layer_norm"]
    names += [f"layer.{i}.output_layer_norm" for i in range(num_layers(cache))]
    vectors = [stage(cache, name, row) for name in names]
    tokens = check_tokens(tokens, len(vectors[0]))
    unit = [l2_normalize(each[: len(tokens)]) for each in vectors]
    maps = [each @ each.T for each in unit]
    columns = min(4, len(maps))
    lines = -(-len(maps) // columns)
    figure = new_figure(0.5 + 2.2 * columns, 0.5 + 2.2 * lines)
    places = figure.subplots(lines, columns, squeeze=False)
    labels = tokens if len(tokens) <= FEW else None
    signed = min(matrix.min() for matrix in maps) < 0
    for i, (axes, matrix) in enumerate(zip(places.flat, maps)):
        first = labels if i % columns == 0 else None
        heat_map(axes, matrix, rows=first, columns=labels, signed=signed, most=1)
        axes.set_aspect("equal")
        axes.set_title("embeddings" if i == 0 else f"after layer {i - 1}", fontsize=SMALL)
    for axes in list(places.flat)[len(maps) :]:
        axes.set_visible(False)
    said = [f"{_apart(matrix):.2f}" for matrix in maps]
    text = f"How alike the tokens {' '.join(tokens)} are, layer by layer. The mean cosine of two"
    return alt(figure, f"{text} tokens is {said[0]} in the embeddings, then {', '.join(said[1:])}.")


def _apart(matrix: Values) -> float:
    """The mean of what is not on the diagonal."""
    n = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / max(n * (n - 1), 1))


def _closest(values: Values, labels: Sequence[str]) -> str:
    """In words, the two most alike."""
    if len(labels) < 2:
        return ""
    apart = np.where(np.eye(len(labels), dtype=bool), -np.inf, values)
    i, j = divmod(int(apart.argmax()), len(labels))
    return f"Most alike: {labels[i]} and {labels[j]} ({values[i, j]:.2f})."
