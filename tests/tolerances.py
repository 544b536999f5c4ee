"""Every tolerance of the tests, each with its reason; those of single ops are in `ops.bounds`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

ROUNDING = 2.0**-24
"""The most by which one float32 operation is off, relative to its result."""

ULPS = {"exp": 1.0, "tanh": 1.5, "sigmoid": 2.5, "gelu_approximate": 3.25, "gelu": 5.25}
"""Units in the last place. Measured over all float32 inputs, see `npbert.simd.vector_math`."""

ULPS_64 = {"exp": 1.0, "tanh": 1.5, "sigmoid": 2.5, "gelu_approximate": 3.5, "gelu": 6.0}
"""The same in float64, see `npbert.simd.vector_math_64`. Of tens of millions of inputs, the largest
errors were 0.9, 1.4, 2.4, 3.1 and 5.1; the rest is room for those that no sample finds."""

GELU_SLOPE = 1.13
"""The largest derivative of either GELU (1.1289 at 1.414 sqrt(2)): how it passes errors on."""


def assert_within(
    actual: NDArray[Any], expected: NDArray[Any], bound: NDArray[Any] | float
) -> None:
    """``|actual - expected| <= bound``; where NaN or infinity is expected, just that."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    with np.errstate(invalid="ignore"):
        error = np.abs(actual - expected)
        near = np.isfinite(expected) & (error <= bound)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    wrong = ~(near | same)
    if wrong.any():
        ranked = np.where(wrong, np.nan_to_num(error, nan=np.inf), -1)
        at = np.unravel_index(np.argmax(ranked), wrong.shape)
        allowed = np.broadcast_to(bound, wrong.shape)[at]
        raise AssertionError(
            f"{wrong.sum()} of {wrong.size} values out of tolerance; worst at "
            f"{tuple(map(int, at))}: {actual[at]!r} is not {expected[at]!r} +- {allowed!r}"
        )


def definition_of_gelu(x: NDArray[Any]) -> F64:
    """The definitions themselves: ``1 + tanh`` and ``1 + erf`` cancel for negative x."""
    return 4 * np.finfo(np.float64).eps * np.abs(x)


def definition(exact: NDArray[Any]) -> F64:
    """A definition in float64 against an independent truth: both are off by a few roundings."""
    return 16 * np.finfo(np.float64).eps * np.abs(exact)


# -- whole models, against the goldens -------------------------------------------------------------

REFERENCE_SAME = 1e-12
"""The reference in float64 and a framework in float64, with the same constants: rounding noise."""

REFERENCE_CONSTANTS = 1e-7
"""With exact constants where TensorFlow rounds 0.044715 and 1 / sqrt(H) to float32."""

STAGES_FLOAT64 = 8 * 2 * ROUNDING
"""A float32 stage against the float64 golden, relative to the stage's largest value. The errors of
the stages before it are in it; measured at most 5 float32 epsilons, in the third layer."""

STAGES_FLOAT32 = 12 * 2 * ROUNDING
"""Two float32 stages: each is off by as much as one of them is from float64."""

HEADS_FLOAT32 = 2 * STAGES_FLOAT32
"""The same of a head's output, whose product adds to the error of the vectors it is given: in three
runs over random models, 11/12 of `STAGES_FLOAT32` at most."""

ACCURACY_MEAN = 1.0
"""Geometric mean of our root-mean-square error over a float32 backend's: no further than Keras."""

ACCURACY_SAME = 1e-3
"""Above `ACCURACY_MEAN`, for a stage in 16 bits that Keras rounds where we do: all values but those
next to halfway between two come out the same."""

ACCURACY_LARGEST = 2.5
"""Our largest error over the worse backend's, where that is at least `accuracy.FLOOR`: a maximum
over few values is a matter of luck, an outlier is more than that."""
