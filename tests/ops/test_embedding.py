from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.bounds import Bounds
from ops.checks import assert_near, compiled, dimensions, drawers, exactly
from precisions import given_in_every, rounded
from simd.exact import assert_same_bits

from npbert.ops.embedding import add_embeddings, embedding_kernel, lookup
from npbert.simd import buffers


def test_lookup_by_hand():
    table = np.array([[0.0, 1.0], [10.0, 11.0], [20.0, 21.0]])
    found = lookup(table, np.array([[2, 0, 2, 1]]))
    assert found.tolist() == [[[20, 21], [0, 1], [20, 21], [10, 11]]]


def test_the_order_of_the_sum_is_keras_s():
    """(token + position) + segment: another order rounds to another value."""
    token, position, segment = np.float32([[[1e8]], [[-1e8]], [[1.0]]])
    assert add_embeddings(token, position, segment) == 1.0
    assert token + (position + segment) == 0.0


@given_in_every(data=st.data())
def test_lookup_copies_bits(precision, data):
    """And widens them exactly."""
    V, D, B, T = data.draw(dimensions(4))
    table = data.draw(drawers(precision))(V, D)
    ids = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, V, (B, T))
    found = compiled("lookup", table, ids, precision=precision)
    assert found.dtype == precision.real
    assert_same_bits(found, precision.weights(table)[ids])


def added(token, position, segment, precision):
    """Their sum, rounded after each addition, as one expects it to the bit."""
    return rounded(rounded(token + position, precision) + segment, precision)


@given_in_every(data=st.data())
def test_add_embeddings(precision, data):
    B, T, D = data.draw(dimensions(3))
    make, bounds = data.draw(drawers(precision)), Bounds(precision)
    three = [precision.weights(make(B, T, D)) for _ in range(3)]
    actual = compiled("add_embeddings", *three, precision=precision)
    token, position, segment = map(np.float64, three)
    both = bounds.rounded(token + position, bounds.added(token, position))
    bound = both.bound + bounds.added(np.abs(both.value) + both.bound, segment)
    assert_near(actual, bounds.rounded(both.value + segment, bound), precision)
    assert_same_bits(actual, added(*three, precision))


@given_in_every(data=st.data())
def test_the_kernel_looks_up_each_id_in_its_own_table(precision, data):
    V, P, S, D, R = data.draw(dimensions(5))
    make = data.draw(drawers(precision))
    tables = [make(rows, D) for rows in (V, P, S)]
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    ids = [random.integers(0, len(table), R).astype(np.int32) for table in tables]
    out = buffers.empty(R, buffers.padded(D), dtype=precision.real)
    stored = [buffers.pad_columns(precision.bits(x), precision.stored_dtype) for x in tables]
    embedding_kernel[precision](*ids, *stored, out)
    found = (lookup(precision.weights(table), each) for table, each in zip(tables, ids))
    assert_same_bits(out[:, :D], added(*found, precision))
    assert not out[:, D:].any()


@pytest.mark.kernel
def test_what_is_not_finite_goes_through():
    table = np.float32([[1, np.nan, np.inf], [2, 3, -np.inf]])
    assert_same_bits(compiled("lookup", table, np.array([1, 0])), table[[1, 0]])
    sums = compiled("add_embeddings", table, table[::-1], table)
    with np.errstate(invalid="ignore"):
        assert_same_bits(sums, exactly("add_embeddings", table, table[::-1], table))
