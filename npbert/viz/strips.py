"""Vectors as strips of shades: one number, one cell.

Shapes: see `npbert.shapes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike

from npbert.errors import InputError
from npbert.viz.figures import FEW, SMALL, alt, heat_map, largest, new_figure
from npbert.viz.stages import StageCache, check_tokens, numbers, stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SUM: Final = {
    "token": "token",
    "position": "+ position",
    "segment": "+ segment",
    "sum": "= sum",
    "layer_norm": "layer norm",
}
_ADDED: Final = ("token", "position", "segment", "sum")


def strip(array: ArrayLike, labels: Sequence[str], title: str = "") -> Figure:
    """Vectors below each other, a strip each; their values are written in when they are short.

    Args:
        array: (rows, columns), or (columns,) for one.
        labels: a name for each row.
        title: what stands above them.

    Raises:
        InputError: the array has more dimensions, or another number of rows, or no numbers.
        DependencyError: matplotlib is not installed.
    """
    values = np.atleast_2d(numbers(array, "array"))
    if values.ndim != 2 or len(values) != len(labels):
        raise InputError(
            "strips need a matrix and a label for each of its rows.",
            received=f"{values.shape}, {len(labels)} labels",
        )
    figure = new_figure(8, 0.8 + 0.28 * len(values))
    axes = figure.subplots()
    whole = bool((values == values.round()).all())
    digits = (0 if whole else 2) if values.shape[1] <= FEW else None
    signed = bool((values < 0).any())
    image = heat_map(axes, values, rows=labels, signed=signed, digits=digits)
    axes.set_title(title, fontsize=SMALL + 1)
    if digits is None:
        figure.colorbar(image, ax=axes, pad=0.01).ax.tick_params(labelsize=SMALL - 1)
    finite = values[np.isfinite(values)]
    reach = f"from {finite.min():.2f} to {finite.max():.2f}" if finite.size else "none"
    text = f"{title or 'Vectors'}, a strip of {values.shape[1]} values each: {', '.join(labels)}."
    return alt(figure, f"{text} The values are {reach}.")


def embedding_sum(cache: StageCache, tokens: Sequence[str], *, row: int = 0) -> Figure:
    """How a token's first vector is made: three rows of tables, their sum, and its layer norm.

    Each panel has a strip a token. The first four share their shades; layer norm has its own.

    Args:
        cache: what `BertBackbone.run_with_cache` gives; ``embeddings.*`` are read.
        tokens: of the sequence, as text; without its padding if you like.
        row: which sequence of the batch.

    Raises:
        InputError: the cache lacks one of the stages, or tokens do not fit it.
        DependencyError: matplotlib is not installed.
    """
    parts = {name: stage(cache, f"embeddings.{name}", row) for name in _SUM}
    tokens = check_tokens(tokens, len(parts["sum"]))
    parts = {name: values[: len(tokens)] for name, values in parts.items()}
    shared = max(largest(values) for name, values in parts.items() if name in _ADDED)
    figure = new_figure(9, 0.9 + 0.24 * len(tokens))
    for i, (axes, (name, values)) in enumerate(zip(figure.subplots(1, 5), parts.items())):
        most = shared if name in _ADDED else None
        rows = tokens if i == 0 else None
        image = heat_map(axes, values, rows=rows, signed=True, most=most)
        axes.set_title(_SUM[name], fontsize=SMALL + 1)
        if name in ("sum", "layer_norm"):
            bar = figure.colorbar(image, ax=axes, location="bottom", aspect=12)
            bar.ax.tick_params(labelsize=SMALL - 1)
    sizes = [f"{name} {np.square(parts[name]).mean() ** 0.5:.2f}" for name in _SUM]
    text = f"The embeddings of {' '.join(tokens)} as strips: token plus position plus segment"
    return alt(figure, f"{text} is the sum, then layer norm. Typical size: {', '.join(sizes)}.")
