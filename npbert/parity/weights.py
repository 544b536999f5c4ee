"""Weights against weights: of each tensor, what became of it on the way.

Relations are tried one after another, in the order of `_CHECKS`; the first that holds is the
answer. They hold to the bit, and only `close` and `scaled` to a few last places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import ml_dtypes
import numpy as np

from npbert.parity.difference import coarser, float_info, largest
from npbert.parity.types import Array, WeightReport

SHARED_ROWS: Final = "equal in the shared rows"
KEPT: Final = "kept in "
"""How the relation of a tensor begins that one side keeps in 16 bits, as its dtype says."""

SAME: Final = ("equal", "close", SHARED_ROWS, KEPT)
"""How the relations begin that make no difference between two models, or an announced one."""

MISSING: Final = "missing in "
"""How the relation of a tensor begins that one side lacks."""

_CLOSE: Final = 4
"""Units in the last place of the largest value: of tensors that were computed, not copied."""

_AXES: Final = {  # the end of a weight's name -> its axes
    **dict.fromkeys(("query/kernel", "key/kernel", "value/kernel"), "DNH"),
    **dict.fromkeys(("query/bias", "key/bias", "value/bias"), "NH"),
    "attention_output/kernel": "NHD",
    "feedforward_intermediate_dense/kernel": "DF",
    "feedforward_intermediate_dense/bias": "F",
    "feedforward_output_dense/kernel": "FD",
    "pooled_dense/kernel": "DD",
    "/embeddings": "VD",
}


def axes(name: str) -> str:
    """The letters of a tensor's axes (see `npbert.shapes`): ``"DNH"`` of a query's kernel.

    The rows of any table are ``V``.
    """
    return next((letters for end, letters in _AXES.items() if name.endswith(end)), "D")


def compare_weights(a: Mapping[str, Array], b: Mapping[str, Array]) -> list[WeightReport]:
    """One report for every tensor of either side, in the order of ``a``."""
    return [_compare(name, a, b) for name in [*a, *(name for name in b if name not in a)]]


def _compare(name: str, a: Mapping[str, Array], b: Mapping[str, Array]) -> WeightReport:
    if name not in a or name not in b:
        return WeightReport(name, f"{MISSING}{'a' if name not in a else 'b'}")
    x, y = np.asarray(a[name]), np.asarray(b[name])
    if _equal(x, y):
        return WeightReport(name, "equal", 0.0)
    relations = (check(x, y, axes(name)) for check in _CHECKS)
    relation = next((found for found in relations if found), None) or _elsewhere(y, a)
    if x.shape != y.shape:
        return WeightReport(name, relation or f"other shape: {x.shape} and {y.shape}")
    return WeightReport(name, relation or "different", largest(x, y))


# -- relations: what y is of x, and None if it is something else -----------------------------------


def _rounded(x: Array, y: Array, axes: str) -> str | None:
    """One side is the other in 16 bits, in an array of that dtype or of another."""
    if x.shape == y.shape:
        for dtype in map(np.dtype, (np.float16, ml_dtypes.bfloat16)):
            with np.errstate(over="ignore"):
                if _equal(x.astype(dtype), y) or _equal(x, y.astype(dtype)):
                    said = KEPT if dtype in (x.dtype, y.dtype) else "rounded to "
                    return said + dtype.name
    return None


def _close(x: Array, y: Array, axes: str) -> str | None:
    near = x.shape == y.shape and largest(x, y) <= _last_places(y, x)
    return "close" if near else None


def _zero(x: Array, y: Array, axes: str) -> str | None:
    return next((f"zero in {side}" for side, t in (("a", x), ("b", y)) if not t.any()), None)


def _scaled(x: Array, y: Array, axes: str) -> str | None:
    if x.shape != y.shape or x.size < 2:
        return None
    exact = x.astype(np.float64)
    at = np.unravel_index(int(np.argmax(np.abs(exact))), x.shape)
    factor = float(y[at]) / float(exact[at])
    if not math.isfinite(factor) or largest(exact * factor, y) > _last_places(y, x):
        return None
    return "negated" if factor == -1 else f"times {factor:.6g}"


def _heads(x: Array, y: Array, axes: str) -> str | None:
    """Heads in another order, or cut from the features in another way."""
    if "N" not in axes or x.shape != y.shape:
        return None
    at = axes.index("N")
    if _equal(_split_otherwise(x, at), y) or _equal(x, _split_otherwise(y, at)):
        return "heads split as (H, N), not (N, H)"
    order = _order(np.moveaxis(x, at, 0), np.moveaxis(y, at, 0))
    return f"heads permuted: {', '.join(map(str, order))}" if order else None


def _rows(x: Array, y: Array, axes: str) -> str | None:
    """Of tables: shifted, as positions are, or different in a few rows."""
    if axes != "VD" or x.shape[1:] != y.shape[1:]:
        return None
    if x.shape != y.shape:
        shared = min(len(x), len(y))
        return SHARED_ROWS if _equal(x[:shared], y[:shared]) else None
    for by in range(1, min(3, len(x))):
        for shift, (early, late) in ((by, (x, y)), (-by, (y, x))):
            if _equal(early[:-by], late[by:]):
                return f"rows shifted by {shift}"
    count = int((x != y).any(axis=1).sum())
    return f"different in {count} of {len(x)} rows" if count < len(x) else None


def _transposed(x: Array, y: Array, axes: str) -> str | None:
    """As matrices; PyTorch keeps a kernel as (outputs, inputs)."""
    if len(axes) < 2 or x.ndim != len(axes):
        return None
    inputs = math.prod(x.shape[: 2 if axes == "NHD" else 1])
    matrix = x.reshape(inputs, -1)
    if _equal(matrix.T.reshape(-1), y.reshape(-1)):
        return "transposed"
    return "reshaped" if _equal(matrix, y) else None


_CHECKS: Final[tuple[Callable[[Array, Array, str], str | None], ...]] = (
    *(_rounded, _close, _zero, _scaled, _heads, _rows, _transposed),
)


def _elsewhere(y: Array, a: Mapping[str, Array]) -> str | None:
    """It is another tensor of the other side: query and key swapped, layers in another order."""
    found = (name for name, x in a.items() if x.shape == y.shape and _begins(x, y) and _equal(x, y))
    return next((f"equal to {name} of a" for name in found), None)


# -- pieces ----------------------------------------------------------------------------------------


def _equal(x: Array, y: Array) -> bool:
    if x.dtype != y.dtype:
        x, y = x.astype(np.float64), y.astype(np.float64)
    return np.array_equal(x, y)


def _begins(x: Array, y: Array) -> bool:
    """Whether the first values are equal, which spares most tensors the rest."""
    return _equal(x.reshape(-1)[:8], y.reshape(-1)[:8])


def _last_places(x: Array, other: Array) -> float:
    """Of the largest value of ``x``, in the coarser dtype."""
    unit = float(float_info(coarser(x.dtype, other.dtype)).eps)
    return _CLOSE * unit * float(np.max(np.abs(x), initial=0))


def _split_otherwise(x: Array, at: int) -> Array:
    """The features of all heads, N x H, read as H x N."""
    N, H = x.shape[at : at + 2]
    return np.swapaxes(x.reshape(*x.shape[:at], H, N, *x.shape[at + 2 :]), at, at + 1)


def _order(x: Array, y: Array) -> list[int] | None:
    """Where each head of ``y`` was in ``x``; None if one of them is none of its heads."""
    places = {np.asarray(head, np.float64).tobytes(): n for n, head in enumerate(x)}
    order = [places.get(np.asarray(head, np.float64).tobytes()) for head in y]
    known = [n for n in order if n is not None]
    return known if len(known) == len(order) else None
