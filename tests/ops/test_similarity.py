from __future__ import annotations

import contract_oracle
import numpy as np
import pytest
from hypothesis import strategies as st
from ops.bounds import Bounds, Near
from ops.checks import assert_near, compiled, depths, dimensions, drawers, exactly
from precisions import every, given_in_every
from simd.exact import assert_same_bits, gemm

from npbert.ops.similarity import (
    EUCLIDEAN,
    MANHATTAN,
    distance_kernel,
    euclidean,
    manhattan,
    row_dot,
)
from npbert.simd import buffers

A, B = np.array([[0.0, 0.0], [3.0, -4.0]]), np.array([[6.0, 8.0], [3.0, -4.0], [-1.0, 1.0]])


def test_by_hand():
    assert manhattan(A, B).tolist() == [[-14, -7, -2], [-15, 0, -9]]
    assert euclidean(A, B[:2]).tolist() == [[-10, -5], [-np.sqrt(153), 0]]
    assert row_dot(A, B[:2]).tolist() == [0, 25]


def check(name, a, b, bound, precision):
    """Numbers about texts, not of the model: they are never rounded."""
    actual = compiled(name, a, b, precision=precision)
    assert_near(actual, Near(exactly(name, a, b), bound), precision)


@pytest.mark.parametrize("name", ["euclidean", "manhattan"])
@given_in_every(data=st.data())
def test_distance_kernel(name, precision, data):
    rows, others, D = data.draw(dimensions(3))
    draw = data.draw(drawers(precision))
    a, b = draw(rows, D), draw(others, D)
    check(name, a, b, getattr(Bounds(precision), name)(a, b), precision)


@given_in_every(data=st.data())
def test_row_dot_kernel_has_the_bits_of_the_product(precision, data):
    rows, D = data.draw(st.integers(1, 20)), data.draw(depths)
    draw = data.draw(drawers(precision))
    a, b = draw(rows, D), draw(rows, D)
    check("row_dot", a, b, np.diagonal(Bounds(precision).gemm(a, b.T)), precision)
    assert_same_bits(compiled("row_dot", a, b, precision=precision), np.diagonal(gemm(a, b.T)))


@pytest.mark.kernel
@every
@pytest.mark.parametrize("order", [MANHATTAN, EUCLIDEAN])
def test_pairs_have_the_bits_of_all_against_all(order, precision):
    a, b = np.float32(np.random.default_rng(order).standard_normal((2, 7, 37)))
    wide = (buffers.pad_columns(x, precision.real) for x in (a, b))
    each, paired = (buffers.empty(7, columns, dtype=precision.real) for columns in (7, 1))
    wide = *wide, order
    distance_kernel[precision](*wide, False, each)
    distance_kernel[precision](*wide, True, paired)
    assert_same_bits(paired[:, 0], np.diagonal(each))


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["euclidean", "manhattan"])
def test_bits_of_the_contract(name):
    a, b = np.float32(np.random.default_rng(3).standard_normal((2, 5, 37)))
    oracle = getattr(contract_oracle, name)
    expected = [[oracle(x, y) for y in b.tolist()] for x in a.tolist()]
    assert_same_bits(compiled(name, a, b), np.array(expected, np.float32))


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["euclidean", "manhattan", "row_dot"])
def test_nan_goes_through(name):
    a, b = np.float32(np.random.default_rng(3).standard_normal((2, 4, 37)))
    a[2, 36] = np.nan
    assert np.isnan(compiled(name, a, b)).reshape(4, -1).all(axis=1).tolist() == [0, 0, 1, 0]
