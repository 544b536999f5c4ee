"""Assertions for tests, under pytest or anything else that knows AssertionError."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.parity.budget import rule, tolerance
from npbert.parity.bundle import Bundle
from npbert.parity.compare import compare
from npbert.parity.difference import F64, Kept, difference, distance, kept_positions
from npbert.parity.reports.words import because, headline, number, stage_of, times, used
from npbert.parity.sources import of_bundle
from npbert.parity.sources.named import as_array
from npbert.parity.sources.wrap import Model, as_source
from npbert.parity.types import Array, Report, Source


def assert_close(
    actual: ArrayLike,
    expected: ArrayLike,
    stage: str,
    *,
    padding_mask: ArrayLike | None = None,
    atol: float | None = None,
) -> None:
    """Refuse an array that is further from the expected one than rounding takes it.

    Args:
        actual, expected: of one shape, numbers of any dtype.
        stage: as in `npbert.stages`, or any other name; `npbert.parity.budget` has its tolerance.
        padding_mask: (B, T), nonzero keeps; other positions are not looked at.
        atol: the largest absolute difference to let pass, in place of the stage's own.

    Raises:
        AssertionError: a value differs by more, or the shapes do.
    """
    __tracebackhide__ = True
    a, b = as_array(actual, "actual"), as_array(expected, "expected")
    if a.shape != b.shape:
        raise AssertionError(f"{stage}: the shapes differ: {a.shape}, expected {b.shape}")
    kept = None
    if padding_mask is not None:
        kept = kept_positions(stage, a.shape, np.asarray(padding_mask))
    values = b if kept is None else b[kept]
    finite = np.abs(values.astype(np.float64)[np.isfinite(values.astype(np.float64))])
    largest = float(finite.max(initial=0))
    limit = tolerance(stage, (a.dtype, b.dtype), largest, None).largest if atol is None else atol
    if difference(a, b, kept).max_abs > limit:
        why = rule(stage).reason if atol is None else "as given"
        lines = _message(a, b, kept, limit, f"{number(limit)}: {why}")
        raise AssertionError("\n".join([f"{stage} is not close.", "", *lines]))


def assert_parity(
    model: Model,
    bundle: str | Path | Bundle | Source,
    *,
    tolerances: Mapping[str, float] | None = None,
    diagnose: bool = True,
) -> None:
    """Refuse a model that does not agree with what was recorded.

    Args:
        model: see `npbert.parity.sources.wrap.Model`; it is run on the bundle's inputs and texts.
        bundle: the name of its files without their ending, then ``#SOURCE`` where it has several;
            or it as it was loaded; or any other source to agree with.
        tolerances, diagnose: as in `npbert.parity.compare`.

    Raises:
        AssertionError: they differ, or share nothing that could be compared.
        ModelFileError, ConfigError: the bundle cannot be read.
    """
    __tracebackhide__ = True
    expected, actual = _recorded(bundle), as_source(model)
    report = compare(expected, actual, tolerances=tolerances, diagnose=diagnose)
    if report.verdict != "agree":
        raise AssertionError("\n".join(_short(report)))


def _recorded(bundle: str | Path | Bundle | Source) -> Source:
    if isinstance(bundle, Bundle):
        return of_bundle.BundleSource(bundle)
    if isinstance(bundle, (str, Path)):
        stem = str(bundle).removeprefix("bundle:")
        return of_bundle.open_source(stem, f"bundle:{stem}")
    return bundle


# -- what is said ----------------------------------------------------------------------------------


def _short(report: Report) -> Iterator[str]:
    """The verdict, the diagnosis and the stages that decide, of all that a report has."""
    yield headline(report)
    yield from because(report)
    yield f"a: {report.a['name']} ({report.a['kind']})"
    yield f"b: {report.b['name']} ({report.b['kind']})"
    for mark, name in (("▶", report.first), ("●", report.guilty)):
        stage = stage_of(report, name)
        if stage is not None and stage.difference is not None:
            found = stage.difference
            yield (
                f"{mark} {stage.stage}: {number(found.max_abs)} at {found.index}: "
                f"{found.value_a:.9g} and {found.value_b:.9g}; {times(used(stage))} times the"
                f" tolerance, {stage.outside:.2%} of {found.count} values outside it"
            )
    yield from (f"note: {note}" for note in report.notes)


def _message(a: Array, b: Array, kept: Kept | None, limit: float, allowed: str) -> Iterator[str]:
    """What is wrong, in the words of PyTorch's assert_close."""
    found = difference(a, b, kept)
    x, y = (np.atleast_1d(each).astype(np.float64) for each in (a, b))
    apart = distance(x, y)
    if kept is not None:
        apart = np.where(kept.reshape(kept.shape + (1,) * (x.ndim - kept.ndim)), apart, 0)
    outside = int((apart > limit).sum())
    yield f"Mismatched elements: {outside} / {found.count} ({outside / found.count:.1%})"
    yield from _greatest("absolute", apart, x, y)
    yield from _greatest("relative", _relative(apart, y), x, y)
    yield f"Units in the last place: {found.ulp_max:.4g}, 99th percentile {found.ulp_p99:.4g}"
    if any(found.not_finite):
        actual, expected = found.not_finite
        yield f"NaN or infinite: {actual} values, expected {expected}"
    yield f"Allowed absolute difference: {allowed}"


def _greatest(what: str, errors: F64, x: F64, y: F64) -> Iterator[str]:
    at = tuple(map(int, np.unravel_index(int(np.argmax(errors)), errors.shape)))
    values = f"{x[at]:.9g}, expected {y[at]:.9g}"
    yield f"Greatest {what} difference: {errors[at]:.6g} at index {at} ({values})"


def _relative(apart: F64, expected: F64) -> NDArray[Any]:
    """As PyTorch has it: of the expected value, infinite where that is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(apart > 0, apart / np.abs(expected), 0)
