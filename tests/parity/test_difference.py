"""Two arrays number by number: exact zeros, symmetry, and what is not finite."""

from __future__ import annotations

import dataclasses
import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from npbert.parity.difference import (
    Spread,
    coarser,
    difference,
    distance,
    kept_positions,
    largest,
    root_mean_square,
    spread,
)

DTYPES = (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)
SHAPES = array_shapes(min_dims=1, max_dims=4, max_side=5)


def numbers(shape, dtype):
    """Everything that a float can be."""
    return arrays(np.float32, shape, elements=st.floats(width=32)).map(
        lambda x: np.clip(x, -1e30, 1e30).astype(dtype)
    )


@st.composite
def pairs(draw):
    shape = draw(SHAPES)
    a, b = (draw(numbers(shape, draw(st.sampled_from(DTYPES)))) for _ in range(2))
    kept = draw(st.none() | arrays(np.bool_, shape) | arrays(np.bool_, shape[:1]))
    return a, b, kept


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:invalid value")
@given(pairs())
def test_an_array_does_not_differ_from_itself(pair):
    a, _, kept = pair
    found = difference(a, a.copy(), kept)
    assert (found.max_abs, found.mean_abs, found.rms, found.p99) == (0, 0, 0, 0)
    assert (found.max_rel, found.ulp_max, found.ulp_p99) == (0, 0, 0)
    assert found.cosine_min == pytest.approx(1, abs=1e-12)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:invalid value")
@given(pairs())
def test_the_sides_can_be_swapped(pair):
    a, b, kept = pair
    there, back = difference(a, b, kept), difference(b, a, kept)
    swapped = dataclasses.replace(
        back,
        value_a=back.value_b,
        value_b=back.value_a,
        not_finite=back.not_finite[::-1],
    )
    np.testing.assert_equal(dataclasses.asdict(swapped), dataclasses.asdict(there))


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:invalid value")
@given(pairs(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(pair, seed):
    a, b, kept = pair
    order = np.random.default_rng(seed).permutation(len(a))
    found = difference(a, b, kept)
    moved = difference(a[order], b[order], None if kept is None else kept[order])
    for name in ("count", "max_abs", "p99", "ulp_max", "ulp_p99", "not_finite"):
        np.testing.assert_equal(getattr(moved, name), getattr(found, name))
    for name in ("mean_abs", "rms", "max_rel", "cosine_min"):
        np.testing.assert_allclose(getattr(moved, name), getattr(found, name), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:invalid value")
@given(pairs())
def test_the_largest_difference_is_where_it_says(pair):
    a, b, kept = pair
    found = difference(a, b, kept)
    if not found.count:
        return
    at = found.index
    assert kept is None or kept[at[: kept.ndim]]
    np.testing.assert_equal((found.value_a, found.value_b), (float(a[at]), float(b[at])))
    one = distance(*(np.array([float(x[at])]) for x in (a, b)))
    assert one[0] == found.max_abs
    assert spread(a, b, kept) == Spread(found.p99, found.max_abs)
    if kept is None:
        assert largest(a, b) == found.max_abs


def test_numbers_that_can_be_checked_by_hand():
    a = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)
    b = np.array([[3.0, 4.5], [0.0, 1.0]], np.float64)
    found = difference(a, b)
    assert (found.count, found.max_abs, found.index) == (4, 1.0, (1, 1))
    assert (found.value_a, found.value_b) == (2.0, 1.0)
    assert found.mean_abs == 1.5 / 4
    assert found.rms == pytest.approx(math.sqrt(1.25 / 4))
    assert found.p99 == 1.0
    # The root mean square of b, 2.78, is more than the 2 that 1 is compared with.
    assert found.max_rel == pytest.approx(1 / math.sqrt((9 + 20.25 + 1) / 4))
    # In float32, the coarser: 1 is 2^22 units at 2, and 0.5 is 2^20 at 4.5.
    assert (found.ulp_max, found.ulp_p99) == (2**22, 2**22)
    assert found.cosine_min == pytest.approx(27 / (5 * math.hypot(3, 4.5)))


@pytest.mark.parametrize(
    ("dtype", "spacing"),
    [(np.float32, 2**-23), (np.float16, 2**-10), (ml_dtypes.bfloat16, 2**-7), (np.float64, 2**-52)],
)
def test_units_in_the_last_place_are_the_coarser_dtypes(dtype, spacing):
    a = np.ones(1, dtype)
    b = np.array([1 + 3 * spacing], dtype)
    assert difference(a, b).ulp_max == 3
    assert difference(a, b.astype(np.float64)).ulp_max == 3
    assert coarser(a.dtype, np.dtype(np.float64)) == dtype


def test_the_smallest_numbers_have_a_last_place_too():
    tiny = np.array([2.0**-149], np.float32)
    assert difference(tiny, np.zeros(1, np.float32)).ulp_max == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_on_both_sides_is_no_difference(value):
    a = np.array([[1.0, value, 2.0]], np.float32)
    found = difference(a, a.astype(np.float64))
    assert (found.max_abs, found.not_finite, found.cosine_min) == (0, (1, 1), pytest.approx(1))


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("other", [0.0, -math.inf])
def test_on_one_side_it_is_an_infinite_one(value, other):
    a = np.array([[1.0, value, 2.0]], np.float32)
    b = np.array([[1.0, other, 2.0]], np.float32)
    found = difference(a, b)
    assert found.max_abs == found.rms == found.max_rel == found.ulp_max == math.inf
    assert (found.index, found.cosine_min) == ((0, 1), 0)
    assert found.not_finite == (1, int(math.isinf(other)))


def test_what_is_left_out_does_not_count():
    a, b = np.zeros((2, 3, 4)), np.zeros((2, 3, 4))
    b[1, 2] = math.nan
    b[0, 1, 3] = 0.25
    kept = np.array([[True, True, True], [True, True, False]])
    found = difference(a, b, kept)
    assert (found.count, found.max_abs, found.index) == (20, 0.25, (0, 1, 3))
    assert difference(a, b, ~kept).count == 4
    assert difference(a, b, np.zeros_like(kept)).count == 0


def test_a_single_number_and_no_number_at_all():
    assert difference(np.float32(2), np.float64(3)).max_abs == 1
    nothing = np.zeros((0, 3))
    assert (difference(nothing, nothing).count, spread(nothing, nothing)) == (0, (0, 0))
    assert (largest(nothing, nothing), root_mean_square(np.zeros(0))) == (0, 0)


def test_integers_are_compared_as_they_are():
    assert difference(np.array([1, 2]), np.array([True, False])).max_abs == 2


def test_a_root_mean_square_of_huge_numbers_is_in_range():
    assert root_mean_square(np.array([3e200, 4e200])) == pytest.approx(math.sqrt(12.5) * 1e200)
    assert root_mean_square(np.array([3.0, math.inf])) == 3


# -- padding ---------------------------------------------------------------------------------------

MASK = np.array([[1, 1, 0], [0, 0, 0]])  # B = 2, T = 3; nothing of the second text is kept


def test_queries_and_keys_of_padding_are_left_out():
    rows = kept_positions("layer.0.query", (2, 3, 5, 7), MASK)
    assert rows.tolist() == [[True, True, False], [True] * 3]
    for stage in ("layer.0.scores", "layer.11.probs"):
        kept = kept_positions(stage, (2, 5, 3, 3), MASK)
        assert kept.shape == (2, 5, 3, 3)
        assert kept[0, 4].tolist() == [[True, True, False]] * 2 + [[False] * 3]
        assert kept[1].all()
    pooled = kept_positions("pooled_output", (2, 7), np.array([[0, 1, 1], [1, 0, 0]]))
    assert pooled.tolist() == [False, True]


def test_other_arrays_count_in_full():
    assert kept_positions("text.vector", (2, 3), MASK) is None
    assert kept_positions("something", (3, 2, 4), MASK) is None
