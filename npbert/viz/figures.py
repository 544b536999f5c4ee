"""A figure, a heat map in it, and how a notebook shows it: SVG with alternative text."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from npbert.errors import DependencyError
from npbert.viz.stages import Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW: Final = 12
"""Up to so many rows and columns, a heat map has its values written in it."""

SMALL: Final = 8
"""Points: the size of the letters."""

_SVG: Final = {
    "svg.fonttype": "none",  # letters stay text, which can be searched and is small
    "svg.hashsalt": "npbert",  # the same picture has the same bytes
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; width and height in inches. pyplot, which has a state, is not used.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DependencyError(
            "a picture needs matplotlib.", received=error, fix="pip install 'npbert[notebooks]'"
        ) from None
    return Figure(figsize=(width, height), layout="constrained")


def alt(figure: Figure, text: str) -> Figure:
    """The figure, with ``text`` for those who do not see it; a notebook shows it as SVG.

    Any figure of matplotlib will do. The text is its ``alt``, and can be set again.
    """
    shown: Any = figure
    shown.alt = text
    shown._repr_mimebundle_ = partial(_shown, figure)
    return figure


def _shown(figure: Any, **which: object) -> dict[str, str]:
    """What IPython asks a value for: the same in several formats."""
    return {"image/svg+xml": _svg(figure), "text/plain": f"Picture: {figure.alt}"}


def _svg(figure: Any) -> str:
    """An ``<svg>`` element that has a title and is never wider than the page."""
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context(_SVG):
        figure.savefig(file, format="svg", metadata={"Date": None})
    drawn = re.sub(r"\s*<metadata>.*?</metadata>", "", file.getvalue(), flags=re.DOTALL)
    drawn = drawn[drawn.index("<svg ") :]
    words = escape(figure.alt)
    style = f'role="img" aria-label="{words}" style="max-width: 100%; height: auto"'
    opening, rest = drawn.split(">", 1)
    return f"{opening} {style}>\n <title>{words}</title>{rest}"


def heat_map(
    axes: Axes,
    values: Values,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    signed: bool,
    most: float | None = None,
    digits: int | None = None,
) -> Any:
    """Draw a matrix.

    Args:
        axes: where.
        values: (rows, columns).
        rows, columns: labels; None writes none.
        signed: in colours from ``-most`` to ``most``, brighter is more; else in grey from 0 to
            ``most``, darker is more.
        most: None is the largest value.
        digits: behind the point, of each value that is written in its cell; None writes none.

    Returns:
        matplotlib's image.
    """
    most = most or largest(values) or 1.0
    image = axes.imshow(
        values,
        cmap="cividis" if signed else "Greys",
        vmin=-most if signed else 0,
        vmax=most,
        aspect="auto",
        interpolation="nearest",
    )
    axes.tick_params(length=0, labelsize=SMALL)
    axes.set_xticks(*_ticks(columns), rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(*_ticks(rows))
    if digits is not None:
        for (i, j), value in np.ndenumerate(values):
            dark = value < 0 if signed else value > most / 2
            colour = "white" if dark else "black"
            text = f"{value:.{digits}f}"
            axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=SMALL - 1)
    return image


def largest(values: Values) -> float:
    """The largest absolute value, whatever is NaN or infinite beside it; 0.0 if all are."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0))


def _ticks(labels: Sequence[str] | None) -> tuple[Sequence[int], Sequence[str]]:
    """Where labels stand, and the labels."""
    return ([], []) if labels is None else (range(len(labels)), [plain(each) for each in labels])


def plain(label: str) -> str:
    """A label as it is: a dollar begins a formula in matplotlib."""
    return label.replace("$", r"\$")
