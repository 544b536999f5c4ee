"""Whether an engine computes what npbert computes: a peer that does not is no peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npbert.bench.works import Batch

TOLERANCE: Final = 1e-4
"""The largest difference; rounding in float32 makes some 1e-6, another GELU 1e-3."""

Vectors = dict[int, NDArray[Any]]


def by_text(batches: Sequence[Batch], outputs: Path) -> Vectors:
    """Text -> (T, D): what a job left in a file, without padding and in no matter what batches."""
    found: Vectors = {}
    with np.load(outputs) as file:
        for i, batch in enumerate(batches):
            hidden = file[str(i)]
            for row, text in enumerate(batch.texts):
                found[int(text)] = hidden[row, : int(batch.mask[row].sum())]
    return found


def difference(ours: Mapping[int, NDArray[Any]], theirs: Mapping[int, NDArray[Any]]) -> float:
    """The largest difference of any number; infinite where one is missing, or is no number."""
    if ours.keys() != theirs.keys():
        return float("inf")
    largest = 0.0
    for text, vectors in ours.items():
        if vectors.shape != theirs[text].shape:
            return float("inf")
        worst = float(np.abs(vectors - theirs[text]).max())
        largest = max(largest, worst if np.isfinite(worst) else float("inf"))
    return largest


def verdict(difference: float, tolerance: float = TOLERANCE) -> str | None:
    """The error of a row whose numbers are others, or None."""
    if difference <= tolerance:
        return None
    return (
        f"computes something else: {difference:.2g} from npbert, at most {tolerance:.0e} expected"
    )
