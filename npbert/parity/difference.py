"""Two arrays number by number, in float64 whatever they came in."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from npbert.parity.types import Array, Difference

F64 = NDArray[np.float64]
Kept = NDArray[np.bool_]

_BY_KEYS: Final = ("scores", "probs")


class Spread(NamedTuple):
    """Absolute errors in two numbers."""

    p99: float
    largest: float


_NOTHING: Final = Difference(0, 0.0, (), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, (0, 0))


def difference(a: Array, b: Array, kept: Kept | None = None) -> Difference:
    """How far two arrays of one shape lie apart.

    NaN at the same place on both sides is no difference, and neither is the same infinity; at one
    side only, it is an infinite one.

    Args:
        a, b: numbers of any dtype.
        kept: which of them count, over the first axes or over all; None is all.
    """
    a, b = np.atleast_1d(a), np.atleast_1d(b)
    if not a.size or not (kept is None or kept.any()):
        return _NOTHING
    x, y = chosen(a, kept), chosen(b, kept)
    apart = distance(x, y)
    at = _place(int(np.argmax(apart)), a.shape, kept)
    if kept is not None and kept.ndim == a.ndim:  # rows with holes
        cosines = _cosines(*(np.where(kept, side, 0).astype(np.float64) for side in (a, b)))
    else:
        cosines = _cosines(x, y)
    larger = np.fmax(np.abs(x), np.abs(y))
    ulps = apart / _last_place(larger, coarser(a.dtype, b.dtype))
    scale = max(root_mean_square(x), root_mean_square(y))
    return Difference(
        count=apart.size,
        max_abs=float(apart.max()),
        index=at,
        value_a=float(a[at]),
        value_b=float(b[at]),
        mean_abs=float(apart.mean()),
        rms=root_mean_square(apart) if np.isfinite(apart.max()) else np.inf,
        max_rel=_relative(apart, np.fmax(larger, scale)),
        ulp_max=float(ulps.max()),
        ulp_p99=percentile(ulps),
        cosine_min=float(cosines.min()),
        not_finite=(_not_finite(x), _not_finite(y)),
        p99=percentile(apart),
    )


def spread(a: Array, b: Array, kept: Kept | None = None) -> Spread:
    """The ``p99`` and the ``max_abs`` of `difference` alone."""
    apart = distance(chosen(np.atleast_1d(a), kept), chosen(np.atleast_1d(b), kept))
    return Spread(percentile(apart), float(apart.max())) if apart.size else Spread(0.0, 0.0)


def largest(a: Array, b: Array) -> float:
    """The ``max_abs`` of `difference` alone."""
    return float(np.max(distance(chosen(a, None), chosen(b, None)), initial=0))


def distance(x: F64, y: F64) -> F64:
    """``|x - y|``, with the rule for what is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(x - y)
        if apart.size and not np.isfinite(apart.max()):
            apart[(x == y) | (np.isnan(x) & np.isnan(y))] = 0
            apart[np.isnan(apart)] = np.inf
    return apart


def kept_positions(stage: str, shape: tuple[int, ...], padding_mask: Array) -> Kept | None:
    """Which values of a stage say something, over its first axes or over all; None is all.

    Of padding, neither query nor key does. A text of which nothing is kept counts in full: how it
    is treated is a matter of rules too.

    Args:
        stage: its name.
        shape: the array's; one that is no stage of these inputs counts in full.
        padding_mask: (B, T), nonzero keeps.
    """
    kept = np.asarray(padding_mask) != 0
    kept = kept | ~kept.any(axis=1, keepdims=True)  # (B, T)
    B, T = kept.shape
    if stage == "pooled_output" and shape[:1] == (B,):
        return kept[:, 0]
    if stage.endswith(_BY_KEYS) and shape[2:] == (T, T):
        return np.broadcast_to(kept[:, None, :, None] & kept[:, None, None, :], shape)
    return kept if shape[:2] == (B, T) and not stage.startswith("text.") else None


def coarser(a: np.dtype[Any], b: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype with fewer digits; an integer has float64's."""
    return max(map(_float, (a, b)), key=lambda dtype: float(float_info(dtype).eps))


def float_info(dtype: np.dtype[Any]) -> Any:
    """`numpy.finfo`, of bfloat16 too; an integer has float64's."""
    return ml_dtypes.finfo(_float(dtype))  # type: ignore[no-untyped-call]


def root_mean_square(x: F64) -> float:
    """Of the values that are finite; of none it is 0."""
    most = float(np.max(np.abs(x), initial=0))
    if not np.isfinite(most):
        return root_mean_square(x[np.isfinite(x)])
    return most * float(np.sqrt(np.mean(np.square(x / most)))) if most else 0.0


def percentile(x: F64) -> float:
    """The 99th, without interpolation: infinities have no middle."""
    at = -(-99 * (x.size - 1) // 100)
    return float(np.partition(x, at, axis=None)[at])


def chosen(x: Array, kept: Kept | None) -> F64:
    """The values that count, in float64; in one row if ``kept`` is over all axes."""
    return (x if kept is None else x[kept]).astype(np.float64, copy=False)


def _place(at: int, shape: tuple[int, ...], kept: Kept | None) -> tuple[int, ...]:
    """The index in the whole array of what is number ``at`` among the chosen."""
    if kept is None:
        return tuple(map(int, np.unravel_index(at, shape)))
    rest = shape[kept.ndim :]
    row, *inner = np.unravel_index(at, (int(kept.sum()), *rest))
    return tuple(map(int, (*np.argwhere(kept)[row], *inner)))


def _not_finite(x: F64) -> int:
    return int(x.size - np.isfinite(x).sum())


def _float(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float64) if dtype.kind in "biu" else dtype


def _last_place(x: F64, dtype: np.dtype[Any]) -> F64:
    """The spacing of ``dtype`` at magnitudes ``x``, from the exponents in their bits."""
    info = float_info(dtype)
    exponent = (x.view(np.int64) >> 52) - 1023
    spacing = np.maximum(exponent, int(info.minexp)) - int(info.nmant)
    return ((np.maximum(spacing, -1022) + 1023) << 52).view(np.float64)


def _relative(apart: F64, size: F64) -> float:
    """The largest ``apart / size``; nothing of nothing is nothing, and infinity stays."""
    most = float(apart.max())
    if most == 0 or np.isinf(most):
        return most
    return float(np.divide(apart, size, out=np.zeros_like(apart), where=apart > 0).max())


def _cosines(x: F64, y: F64) -> F64:
    """Of each row: the last axis. Two rows of zeros are the same; one, or NaN in one, is 0."""
    finite = np.isfinite(x) & np.isfinite(y)
    broken: Kept = np.zeros(x.shape[:-1], np.bool_)
    if not finite.all():
        broken = np.any(~finite & (distance(x, y) > 0), axis=-1)
        x, y = np.where(finite, x, 0), np.where(finite, y, 0)
    x, y = _in_range(x), _in_range(y)
    product, *squares = (np.einsum("...d,...d->...", *each) for each in ((x, y), (x, x), (y, y)))
    size = np.sqrt(squares[0]) * np.sqrt(squares[1])
    both_zero = (squares[0] == 0) & (squares[1] == 0)
    cosines = np.clip(product / np.where(size == 0, 1, size), -1, 1)
    return np.where(broken, 0, np.where(both_zero, 1, cosines))


def _in_range(x: F64) -> F64:
    """Each row divided by its largest value, so that no square leaves the range of float64."""
    largest = np.max(np.abs(x), axis=-1, keepdims=True, initial=0)
    return x / np.where(largest == 0, 1, largest)
