"""Every tolerance of the tests, each with its reason.

A kernel computes in float32, its definition here in float64. What may lie between them is not a
number someone found to pass: each bound below counts the roundings that the numerics contract
prescribes, for the very numbers that were computed. A bound is an array, like the result. The rule
throughout (Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1): n roundings in a row
multiply a result by 1 + d with ``|d| <= gamma(n)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

ROUNDING = 2.0**-24
"""The most by which one float32 operation is off, relative to its result."""

SMALLEST = 2.0**-149
"""The smallest float32: below 2^-126 an operation is off by up to half of it."""

ULPS = {"exp": 1.0, "tanh": 1.5, "sigmoid": 2.5, "gelu_approximate": 3.25, "gelu": 5.25}
"""Units in the last place. Measured over all float32 inputs, see `npbert.simd.vector_math`."""

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


def gamma(roundings: NDArray[Any] | float) -> Any:
    """How far ``roundings`` operations in a row can be off, relatively."""
    return roundings * ROUNDING / (1 - roundings * ROUNDING)


def _lanes(count: NDArray[Any] | float) -> Any:
    """Roundings that a term meets in a sum by the contract: its lane's chain, then the tree."""
    return np.ceil(np.asarray(count) / 16) + 4


# -- ops -------------------------------------------------------------------------------------------


def added(*terms: NDArray[Any]) -> F64:
    """Terms added one after the other."""
    return gamma(len(terms) - 1) * sum(np.abs(np.float64(term)) for term in terms)


def gemm(a: NDArray[Any], b: NDArray[Any], *added: NDArray[Any], earlier: int = 0) -> F64:
    """``c * eps * sum|a||b|``, with c from the contract: a chain of at most DEPTH products, then
    one addition for each further part, and one each for bias and residual.

    ``earlier`` counts the roundings of the operands themselves.
    """
    from npbert.simd.gemm import DEPTH

    depth = a.shape[-1]
    sizes = np.abs(np.float64(a)) @ np.abs(np.float64(b))
    sizes = sizes + sum(np.abs(np.float64(term)) for term in added)
    roundings = min(depth, DEPTH) + -(-depth // DEPTH) + len(added) + earlier
    return gamma(roundings) * sizes + roundings * SMALLEST


def layer_norm(x: NDArray[Any], gamma_: NDArray[Any], beta: NDArray[Any], epsilon: float) -> F64:
    """``c * eps * (1 + |mean| / std)``: how exact the mean is, seen from the spread about it.

    The error of the mean, relative to the spread, shifts every value; that of the variance is
    halved by the root and scales every value.
    """
    x = np.asarray(x, np.float64)
    mean = x.mean(axis=-1, keepdims=True)
    spread = np.sqrt(x.var(axis=-1, keepdims=True) + epsilon)
    n = _lanes(x.shape[-1])
    shift = (gamma(n + 1) * np.abs(x).mean(axis=-1, keepdims=True) + SMALLEST) / spread
    normal = np.abs(x - mean) / spread
    stretch = gamma(n + 4) / 2 + np.square(shift) / 2 + gamma(5)
    error = (shift + normal * stretch) * (1 + gamma(n + 4))
    out = normal * np.abs(gamma_) + np.abs(beta)
    return np.abs(gamma_) * error + gamma(1) * (out + np.abs(gamma_) * error) + SMALLEST


def through_layer_norm(
    x: NDArray[Any], error: NDArray[Any], gamma_: NDArray[Any], epsilon: float
) -> F64:
    """What an error of the input becomes, before the layer norm's own.

    It shifts a value and the mean; the spread, a norm of the centred row, moves by no more than the
    error's own.
    """
    x, error = np.asarray(x, np.float64), np.asarray(error, np.float64)
    normal = np.abs(x - x.mean(axis=-1, keepdims=True))
    spread = np.sqrt(x.var(axis=-1, keepdims=True) + epsilon)
    moved = np.sqrt(np.square(error).mean(axis=-1, keepdims=True))
    least = np.maximum(spread - moved, math.sqrt(epsilon))
    shift = error + error.mean(axis=-1, keepdims=True)
    return np.abs(gamma_) * (shift + normal / spread * moved) / least


def softmax(scores: NDArray[Any], kept: NDArray[Any], score_error: NDArray[Any] | float = 0) -> F64:
    """Relative to each probability: the error of its exponent, and that of the sum.

    The exponent, ``score - largest``, is off by a rounding of its own size; past e^-104 there is
    nothing left to be off. ``score_error`` is what the scores themselves are off by.
    """
    from npbert.ops.softmax import softmax as definition

    scores = np.asarray(scores, np.float64)
    probs = definition(scores, kept)
    largest = np.max(scores, axis=-1, keepdims=True, where=kept, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        below = np.where(kept, np.minimum(largest - scores, 105), 0)
    exponent = below * ROUNDING + np.where(kept, score_error, 0)  # `largest` cancels
    weight = np.expm1(exponent) + 2 * ULPS["exp"] * ROUNDING
    total = (probs * weight).sum(axis=-1, keepdims=True)
    total = total + gamma(_lanes(kept.sum(axis=-1, keepdims=True)))
    relative = weight + total + gamma(1)
    return probs * relative / (1 - np.minimum(total, 0.5)) + np.where(kept, 2 * SMALLEST, 0)


def elementwise(name: str, exact: NDArray[Any]) -> F64:
    """So many units in the last place of the exact value."""
    exponent = np.where(exact == 0, -126, np.maximum(np.frexp(exact)[1] - 1, -126))
    return ULPS[name] * np.ldexp(1.0, exponent - 23)


def definition_of_gelu(x: NDArray[Any]) -> F64:
    """The definitions themselves: ``1 + tanh`` and ``1 + erf`` cancel for negative x."""
    return 4 * np.finfo(np.float64).eps * np.abs(x)


def definition(exact: NDArray[Any]) -> F64:
    """A definition in float64 against an independent truth: both are off by a few roundings."""
    return 16 * np.finfo(np.float64).eps * np.abs(exact)


def weighted_sum(x: NDArray[Any], weights: NDArray[Any], divisor: float) -> F64:
    """Rows (n, D), weighted, added in order; a divisor that may be a root, and the division."""
    sizes = np.abs(np.float64(weights)) @ np.abs(np.float64(x))
    return gamma(len(x) + 2) * sizes / divisor + SMALLEST


def manhattan(a: NDArray[Any], b: NDArray[Any]) -> F64:
    """Differences, rounded, and the sum of their sizes."""
    sizes = np.abs(np.float64(a)[:, None] - b)
    return gamma(_lanes(a.shape[-1]) + 1) * sizes.sum(axis=-1) + SMALLEST


def euclidean(a: NDArray[Any], b: NDArray[Any]) -> F64:
    """Differences, the sum of their squares, halved by its root; a tiny square is nothing."""
    squares = np.square(np.float64(a)[:, None] - b).sum(axis=-1)
    relative = gamma(_lanes(a.shape[-1]) + 3) / 2 + gamma(1)
    return relative * np.sqrt(squares) + math.sqrt(a.shape[-1] * SMALLEST)


def l2_normalize(x: NDArray[Any]) -> F64:
    """Relative: the sum of squares, halved by its root, and a division."""
    from npbert.ops.pooling import l2_normalize as definition

    exact = np.abs(definition(np.asarray(x, np.float64)))
    return exact * (gamma(_lanes(x.shape[-1]) + 1) / 2 + gamma(3)) + SMALLEST


class Attention:
    """The bounds of `npbert.ops.attention`, each from the one before."""

    def __init__(self, query: Any, key: Any, value: Any, mask: Any, *, fused: bool) -> None:
        from npbert.ops.attention import attention

        query, key, value = (np.asarray(x, np.float64) for x in (query, key, value))
        exact = attention(query, key, value, mask, fused=fused)
        scale = 1 / math.sqrt(query.shape[-1])
        q, k, v = (np.swapaxes(x, 1, 2) for x in (query, key, value))
        # The scale is rounded, and so is its product with the query or the score.
        self.scores = gemm(q * scale, np.swapaxes(k, 2, 3), earlier=3)
        nothing = ~(np.asarray(mask) != 0).any(axis=1)[:, None, None, None]
        uniform = nothing & fused
        kept = np.broadcast_to(
            (np.asarray(mask) != 0)[:, None, None, :] | uniform, exact.probs.shape
        )
        scores = np.where(uniform | ~kept, 0, exact.scores)
        self.probs = softmax(scores, kept, np.where(uniform, 0, self.scores))
        v = np.where(np.swapaxes(kept[:, :, :1], 2, 3), v, 0)
        context = self.probs @ np.abs(v) + gemm(exact.probs + self.probs, v)
        self.context = np.swapaxes(context, 1, 2)


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

ACCURACY_LARGEST = 2.5
"""Our largest error over the worse backend's, where that is at least `accuracy.FLOOR`: a maximum
over few values is a matter of luck, an outlier is more than that."""
