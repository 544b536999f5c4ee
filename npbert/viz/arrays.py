"""An array in a few lines of text: its letters, shape, dtype, range, and first values."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.errors import InputError
from npbert.viz.stages import numbers

_COLUMNS: Final = 8


def show(x: ArrayLike, letters: str = "", *, rows: int = 6, digits: int = 4) -> None:
    """Print an array: one line about all of it, then its values, or the first of them.

    Of more than two dimensions the first matrix is printed, and of a large matrix the first corner.

    Args:
        x: any array of numbers.
        letters: the names of its dimensions, separated by spaces, as in `npbert.shapes`.
        rows: of the matrix, how many to print.
        digits: behind the point.

    Raises:
        InputError: there are not as many letters as dimensions, or no numbers.

    Example:
        >>> show([[1.0, 2.0]], "B D")
        (B=1, D=2) float64, from 1.0000 to 2.0000
        1.0000 2.0000
    """
    floats = numbers(x, "x")
    array = np.asarray(x)
    names = letters.split()
    if names and len(names) != array.ndim:
        raise InputError(
            "there must be a letter for each dimension.",
            received=f"{letters!r} for an array of shape {array.shape}",
        )
    sizes = ", ".join(f"{name}={size}" for name, size in zip(names, array.shape))
    values = array if array.dtype.kind in "iub" else floats
    lead = (0,) * (array.ndim - 2)
    first = f"; [{', '.join(map(str, lead))}] is" if lead and array.size else ""
    shape = f"({sizes})" if names else array.shape
    print(f"{shape} {array.dtype}{_range(values, digits)}{first}")
    if array.size:
        print(_corner(np.atleast_2d(values[lead]), rows, digits))


def _range(values: NDArray[Any], digits: int) -> str:
    """The least and the most, and how many are neither."""
    known = values[~np.isnan(values)]
    said = ""
    if known.size:
        said = f", from {_text(known.min(), digits)} to {_text(known.max(), digits)}"
    unknown = values.size - known.size
    return said + (f", {unknown} not a number" if unknown else "")


def _corner(matrix: NDArray[Any], most: int, digits: int) -> str:
    """The first rows and columns, one below the other, and dots for the rest."""
    cells = [[_text(value, digits) for value in row[:_COLUMNS]] for row in matrix[:most]]
    width = max(len(cell) for row in cells for cell in row)
    more = " ..." if matrix.shape[1] > _COLUMNS else ""
    rows = [" ".join(cell.rjust(width) for cell in row) + more for row in cells]
    return "\n".join([*rows, "..."] if len(matrix) > most else rows)


def _text(value: Any, digits: int) -> str:
    if isinstance(value, np.floating):
        return f"{round(float(value), digits) + 0.0:.{digits}f}"  # + 0.0: there is no -0.0000
    return str(value)
