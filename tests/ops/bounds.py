"""How far a kernel may be from its definition in float64, from the roundings that the contract has.

What may lie between them is not a number someone found to pass: each bound counts roundings, for
the very numbers that were computed. A bound is an array, like the result. The rule throughout
(Higham, Accuracy and Stability of Numerical Algorithms, lemma 3.1): n roundings in a row multiply a
result by 1 + d with ``|d| <= gamma(n)``.

Two things are added where a precision is not float32:

float64   The definition is computed in float64 too, and is off by as much: bounds count twice, and
          NumPy's sums, in whatever order, by their terms.
16 bits   Arithmetic is float32's, then the result is rounded. Where the float32 result is known to
          lie between two numbers, the rounded one lies between these rounded (`Bounds.rounded`):
          nearly always that leaves one number, and next to halfway between two either of them.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tolerances
from numpy.typing import NDArray
from precisions import rounded

from npbert.ops import gelu, pooling, softmax
from npbert.simd.precision import FLOAT32, Precision

F64 = NDArray[np.float64]


class Near(NamedTuple):
    """What a kernel should have computed, and how far from it its result may be."""

    value: F64
    bound: F64


class Bounds:
    """The bounds of each op.

    Args:
        precision: of its kernel.
    """

    def __init__(self, precision: Precision = FLOAT32) -> None:
        self.precision = precision
        self.double = precision.real == "float64"
        self._digits, self._least = (53, -1022) if self.double else (24, -126)
        self.unit = 2.0**-self._digits
        """The most by which one operation is off, relative to its result."""
        self.smallest = math.ldexp(self.unit * 2, self._least)
        """The smallest number: below 2^least an operation is off by up to half of it."""
        self.ulps = tolerances.ULPS_64 if self.double else tolerances.ULPS

    def gamma(self, roundings: Any) -> Any:
        """How far ``roundings`` operations in a row can be off, relatively."""
        return roundings * self.unit / (1 - roundings * self.unit)

    def _terms(self, count: Any, roundings: Any) -> Any:
        """Roundings that a term meets in a sum of ``count``, where the contract has so many."""
        return np.maximum(roundings, count) if self.double else roundings

    def _lanes(self, count: Any) -> Any:
        """The same where the contract has sixteen lanes: a lane's chain, then the tree."""
        return self._terms(count, np.ceil(np.asarray(count) / 16) + 4)

    def _both(self, bound: F64) -> F64:
        """The kernel's bound, and the definition's where that is no more exact."""
        return 2 * bound if self.double else bound

    def rounded(self, value: NDArray[Any], bound: NDArray[Any] | float) -> Near:
        """A result that is known to so much, once it is rounded as every op's is."""
        value = np.asarray(value, np.float64)
        if not self.precision.rounded:
            return Near(value, np.broadcast_to(bound, value.shape))
        with np.errstate(all="ignore"):
            ends = (value - bound, value, value + bound)
            low, near, high = (np.float64(rounded(x, self.precision)) for x in ends)
            off = np.maximum(high - near, near - low)
        return Near(near, np.where((low == near) & (near == high), 0, off))

    # -- ops ---------------------------------------------------------------------------------------

    def added(self, *terms: NDArray[Any]) -> F64:
        """Terms added one after the other."""
        sizes = sum(np.abs(np.float64(term)) for term in terms)
        return self._both(self.gamma(len(terms) - 1) * sizes)

    def gemm(self, a: NDArray[Any], b: NDArray[Any], *added: NDArray[Any], earlier: int = 0) -> F64:
        """``c * eps * sum|a||b|``, with c from the contract: a chain of at most DEPTH products,
        then one addition for each further part, and one each for bias and residual.

        ``earlier`` counts the roundings of the operands themselves.
        """
        from npbert.simd.gemm import DEPTH

        depth = a.shape[-1]
        sizes = np.abs(np.float64(a)) @ np.abs(np.float64(b))
        sizes = sizes + sum(np.abs(np.float64(term)) for term in added)
        roundings = self._terms(depth, min(depth, DEPTH) + -(-depth // DEPTH))
        roundings = roundings + len(added) + earlier
        return self._both(self.gamma(roundings) * sizes + roundings * self.smallest)

    def layer_norm(
        self, x: NDArray[Any], gamma: NDArray[Any], beta: NDArray[Any], epsilon: float
    ) -> F64:
        """``c * eps * (1 + |mean| / std)``: how exact the mean is, seen from the spread about it.

        The error of the mean, relative to the spread, shifts every value; that of the variance is
        halved by the root and scales every value.
        """
        x = np.asarray(x, np.float64)
        mean = x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(x.var(axis=-1, keepdims=True) + epsilon)
        n = self._lanes(x.shape[-1])
        size = np.abs(x).mean(axis=-1, keepdims=True)
        shift = (self.gamma(n + 1) * size + self.smallest) / spread
        normal = np.abs(x - mean) / spread
        stretch = self.gamma(n + 4) / 2 + np.square(shift) / 2 + self.gamma(5)
        error = (shift + normal * stretch) * (1 + self.gamma(n + 4))
        out = normal * np.abs(gamma) + np.abs(beta) + np.abs(gamma) * error
        last = self.gamma(2 if self.double else 1) * out  # NumPy's product is rounded by itself
        return self._both(np.abs(gamma) * error + last + self.smallest)

    def through_layer_norm(
        self, x: NDArray[Any], error: NDArray[Any], gamma: NDArray[Any], epsilon: float
    ) -> F64:
        """What an error of the input becomes, before the layer norm's own.

        It shifts a value and the mean; the spread, a norm of the centred row, moves by no more than
        the error's own.
        """
        x, error = np.asarray(x, np.float64), np.asarray(error, np.float64)
        normal = np.abs(x - x.mean(axis=-1, keepdims=True))
        spread = np.sqrt(x.var(axis=-1, keepdims=True) + epsilon)
        moved = np.sqrt(np.square(error).mean(axis=-1, keepdims=True))
        least = np.maximum(spread - moved, math.sqrt(epsilon))
        shift = error + error.mean(axis=-1, keepdims=True)
        return np.abs(gamma) * (shift + normal / spread * moved) / least

    def softmax(
        self, scores: NDArray[Any], kept: NDArray[Any], score_error: NDArray[Any] | float = 0
    ) -> F64:
        """Relative to each probability: the error of its exponent, and that of the sum.

        The exponent, ``score - largest``, is off by a rounding of its own size; past e^-104, or in
        float64 e^-746, there is nothing left to be off. ``score_error`` is what the scores
        themselves are off by.
        """
        scores = np.asarray(scores, np.float64)
        probs = softmax.softmax(scores, kept)
        largest = np.max(scores, axis=-1, keepdims=True, where=kept, initial=-np.inf)
        with np.errstate(invalid="ignore"):
            below = np.minimum(largest - scores, 747 if self.double else 105)
            below = np.where(kept, below, 0)
        exponent = below * self.unit + np.where(kept, score_error, 0)  # `largest` cancels
        weight = np.expm1(exponent) + 2 * self.ulps["exp"] * self.unit
        total = (probs * weight).sum(axis=-1, keepdims=True)
        total = total + self.gamma(self._lanes(kept.sum(axis=-1, keepdims=True)))
        relative = weight + total + self.gamma(1)
        nothing = np.where(kept, 2 * self.smallest, 0)
        return self._both(probs * relative / (1 - np.minimum(total, 0.5)) + nothing)

    def elementwise(self, name: str, exact: NDArray[Any]) -> F64:
        """So many units in the last place of the exact value."""
        exponent = np.where(exact == 0, self._least, np.frexp(exact)[1] - 1)
        exponent = np.maximum(exponent, self._least)
        bound = self.ulps[name] * np.ldexp(1.0, exponent - self._digits + 1)
        return bound + tolerances.definition(exact) if self.double else bound

    def gelu(self, name: str, x: NDArray[Any], error: NDArray[Any] | float = 0) -> Near:
        """Either GELU of values that are off by so much; rounded."""
        definition = gelu.gelu if name == "gelu" else gelu.gelu_approximate
        exact = definition(np.asarray(x, np.float64))
        unit = self.elementwise(name, np.abs(exact) + tolerances.GELU_SLOPE * error)
        bound = tolerances.GELU_SLOPE * error + unit + tolerances.definition_of_gelu(x)
        return self.rounded(exact, bound)

    def weighted_sum(self, x: NDArray[Any], weights: NDArray[Any], divisor: float) -> F64:
        """Rows (n, D), weighted, added in order; a divisor that may be a root, and the division."""
        sizes = np.abs(np.float64(weights)) @ np.abs(np.float64(x))
        return self._both(self.gamma(len(x) + 2) * sizes / divisor + self.smallest)

    def manhattan(self, a: NDArray[Any], b: NDArray[Any]) -> F64:
        """Differences, rounded, and the sum of their sizes."""
        sizes = np.abs(np.float64(a)[:, None] - b).sum(axis=-1)
        return self._both(self.gamma(self._lanes(a.shape[-1]) + 1) * sizes + self.smallest)

    def euclidean(self, a: NDArray[Any], b: NDArray[Any]) -> F64:
        """Differences, the sum of their squares, halved by its root; a tiny square is nothing."""
        squares = np.square(np.float64(a)[:, None] - b).sum(axis=-1)
        relative = self.gamma(self._lanes(a.shape[-1]) + 3) / 2 + self.gamma(1)
        nothing = math.sqrt(a.shape[-1] * self.smallest)
        return self._both(relative * np.sqrt(squares) + nothing)

    def l2_normalize(self, x: NDArray[Any]) -> F64:
        """Relative: the sum of squares, halved by its root, and a division."""
        exact = np.abs(pooling.l2_normalize(np.asarray(x, np.float64)))
        relative = self.gamma(self._lanes(x.shape[-1]) + 1) / 2 + self.gamma(3)
        return self._both(exact * relative + self.smallest)

    def attention(
        self, query: Any, key: Any, value: Any, mask: Any, *, fused: bool
    ) -> dict[str, Near]:
        """Its steps by name, each bound from the one before."""
        query, key, value = (np.asarray(x, np.float64) for x in (query, key, value))
        kept = np.broadcast_to((np.asarray(mask) != 0), query.shape[:2])
        uniform = (~kept.any(axis=1) & fused)[:, None, None, None]
        q, k, v = (np.swapaxes(x, 1, 2) for x in (query, key, value))
        kept = np.broadcast_to(kept[:, None, None] | uniform, (*q.shape[:3], k.shape[2]))
        scores = self._scores(q, np.swapaxes(k, 2, 3), fused=fused)
        logits = np.where(uniform | ~kept, 0, scores.value)
        off = self.softmax(logits, kept, np.where(uniform, 0, scores.bound))
        probs = self.rounded(softmax.softmax(logits, kept), off)
        v = np.where(np.swapaxes(kept[:, :, :1], 2, 3), v, 0)
        off = probs.bound @ np.abs(v) + self.gemm(probs.value + probs.bound, v)
        context = self.rounded(probs.value @ v, off)
        turned = Near(*(np.swapaxes(x, 1, 2) for x in context))
        return {"scores": scores, "probs": probs, "context": turned}

    def _scores(self, q: F64, k: F64, *, fused: bool) -> Near:
        scale = 1 / math.sqrt(q.shape[-1])
        if fused or not self.precision.rounded:
            # The scale is rounded, and so is its product with the query or the score.
            return Near(q @ k * scale, self.gemm(q * scale, k, earlier=3))
        scale = rounded(np.array(scale, np.float32), self.precision)
        scaled = self.rounded(q * scale, self.smallest)  # of 16 bits each: exact unless subnormal
        off = scaled.bound @ np.abs(k) + self.gemm(np.abs(scaled.value) + scaled.bound, k)
        return self.rounded(scaled.value @ k, off)
