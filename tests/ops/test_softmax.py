from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import tolerances
from hypothesis import given
from hypothesis import strategies as st
from ops import checks
from ops.bounds import Bounds
from ops.checks import compiled, dimensions, drawers, masks, numbers
from precisions import every, given_in_every, rounded
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.softmax import softmax, softmax_kernel
from npbert.simd import buffers
from npbert.simd.precision import FLOAT32


def test_by_hand():
    scores, kept = np.array([[0.0, 99.0, math.log(3)]]), np.array([[True, False, True]])
    expected = np.array([[0.25, 0.0, 0.75]])
    assert_within(softmax(scores, kept), expected, tolerances.definition(expected))


def test_a_row_that_keeps_nothing_is_zero():
    assert softmax(np.ones((2, 3)), np.zeros((2, 3), bool)).tolist() == [[0, 0, 0]] * 2


@given(st.data())
def test_definition_equals_scipy_s_over_the_kept(data):
    R, T = data.draw(dimensions(2))
    scores = np.float64(data.draw(drawers())(R, T))
    kept = data.draw(masks(T)) != 0
    probs = softmax(scores, np.broadcast_to(kept, (R, T)))
    assert not probs[:, ~kept].any()
    if kept.any():
        expected = scipy.special.softmax(scores[:, kept], axis=-1)
        # The exponent of a probability is off by a rounding of its own size.
        spread = 1 + np.minimum(scores.max(axis=-1, keepdims=True) - scores, 800)[:, kept]
        assert_within(probs[:, kept], expected, tolerances.definition(expected * spread) + 5e-324)


def check(scores, kept, precision=FLOAT32):
    bound = Bounds(precision).softmax(scores, kept)
    checks.check("softmax", scores, kept, bound=bound, precision=precision)


@given_in_every(data=st.data())
def test_kernel(precision, data):
    B, N, T = data.draw(dimensions(3))
    scores = data.draw(drawers(precision))(B, N, T)
    check(scores, np.broadcast_to((data.draw(masks(B, T)) != 0)[:, None], scores.shape), precision)


@given_in_every(data=st.data())
def test_kernel_on_any_scores(precision, data):
    """Whose differences are finite."""
    scores = data.draw(numbers(2, 37, precision=precision))
    scores = scores / precision.real_dtype.type(4 if precision.rounded != "float16" else 1)
    check(scores, np.ones(scores.shape, bool), precision)


@given_in_every(T=st.integers(1, 600), seed=st.integers(0, 99))
def test_kernel_on_long_rows(precision, T, seed):
    scores = np.random.default_rng(seed).standard_normal((2, T)) * 3
    scores = rounded(scores.astype(precision.real), precision)
    check(scores, np.ones(scores.shape, bool), precision)


@given_in_every(data=st.data())
def test_a_row_does_not_know_the_others(precision, data):
    R, T = data.draw(dimensions(2))
    rows = buffers.pad_columns(data.draw(drawers(precision))(R, T))
    alone = rows.copy()
    softmax_kernel[precision](rows, T)
    for row in range(R):
        one = buffers.pad_columns(alone[row : row + 1])
        softmax_kernel[precision](one, T)
        assert_same_bits(one[0], rows[row])


@pytest.mark.kernel
@pytest.mark.parametrize("masked", [np.nan, np.inf, 3e38])
def test_a_masked_score_is_not_looked_at(masked):
    scores = np.float32(np.random.default_rng(0).standard_normal((1, 19)))
    kept = np.arange(19)[None] % 3 != 1
    clean = compiled("softmax", scores, kept)
    scores[~kept] = masked
    assert_same_bits(compiled("softmax", scores, kept), clean)
    check(scores, kept)


@pytest.mark.kernel
@every
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("column", [0, 15, 16, 18])
def test_what_is_not_finite_makes_its_row_nan(bad, column, precision):
    scores = np.random.default_rng(0).standard_normal((3, 19)).astype(precision.real)
    kept = np.ones(scores.shape, bool)
    clean = compiled("softmax", scores, kept, precision=precision)
    scores[1, column] = bad
    out = compiled("softmax", scores, kept, precision=precision)
    assert np.isnan(out[1]).all()
    assert_same_bits(out[[0, 2]], clean[[0, 2]])


@pytest.mark.kernel
@every
def test_minus_infinity_has_probability_zero_unless_it_is_all_there_is(precision):
    scores, kept = np.array([[-np.inf, 1, 1], [-np.inf] * 3]), np.ones((2, 3), bool)
    some, none = compiled("softmax", scores, kept, precision=precision)
    assert some.tolist() == [0, 0.5, 0.5]
    assert np.isnan(none).all()


@pytest.mark.kernel
def test_padding():
    """Zeros up to the next whole vector, nothing past it."""
    scores = np.full((2, 48), 7, np.float32)
    softmax_kernel(scores, 19)
    assert_same_bits(scores[:, 19:32], np.zeros((2, 13), np.float32))
    assert_same_bits(scores[:, 32:], np.full((2, 16), 7, np.float32))
