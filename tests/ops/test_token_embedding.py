from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.bounds import Bounds
from ops.checks import dimensions, drawers
from precisions import given_in_every
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.errors import InputError, InputTypeError
from npbert.ops.token_embedding import _CHUNK, _VECTORS, TokenEmbedding
from npbert.simd import buffers


def layer(V=7, D=5):
    """A layer and its table."""
    table = np.float32(np.random.default_rng(0).standard_normal((V, D)))
    return TokenEmbedding(buffers.pad_columns(table), D), table


def test_embeddings_is_a_copy():
    embedding, table = layer()
    embedding.embeddings[:] = 0
    assert_same_bits(embedding.embeddings, table)


def test_float_ids():
    with pytest.raises(
        InputTypeError,
        match=r"takes integer ids.\n  received: dtype float64\n  fix: .*reverse=True",
    ):
        layer()[0]([[1.0]])


@pytest.mark.parametrize("bad", [-1, 7])
def test_ids_out_of_range(bad):
    with pytest.raises(
        InputError,
        match=rf"id out of range.\n  received: ids from {min(bad, 3)} to {max(bad, 3)}\n"
        r"  expected: 0 <= id < 7",
    ):
        layer()[0]([[3, bad]])


@pytest.mark.parametrize("vectors", [np.zeros((2, 4)), np.zeros((2, 5), int), np.float64(1)])
def test_vectors_of_another_width_or_type(vectors):
    with pytest.raises(InputError, match=r"as wide as the table(.|\n)*expected: floats \(..., 5\)"):
        layer()[0](vectors, reverse=True)


@pytest.mark.kernel
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_forward(shape, dtype):
    embedding, table = layer()
    ids = np.random.default_rng(1).integers(0, 7, shape).astype(dtype)
    assert_same_bits(embedding(ids), table[ids])


@given_in_every(data=st.data())
def test_reverse(precision, data):
    V, D, B, T = data.draw(dimensions(4))
    make, bounds = data.draw(drawers(precision)), Bounds(precision)
    table, x = precision.weights(make(V, D)), make(B, T, D)
    stored = buffers.pad_columns(precision.bits(table), precision.stored_dtype)
    logits = TokenEmbedding(stored, D, precision)(x, reverse=True)
    assert logits.dtype == (precision.numbers(stored).dtype if precision.rounded else x.dtype)
    near = bounds.rounded(np.float64(x) @ np.float64(table.T), bounds.gemm(x, table.T))
    assert_within(logits, near.value, near.bound)


@pytest.mark.kernel
def test_reverse_in_several_pieces():
    """A score does not know which piece of the vocabulary or of the vectors it was computed in."""
    V, M, D = _CHUNK + 7, _VECTORS + 5, 19
    embedding, table = layer(V, D)
    x = np.float32(np.random.default_rng(1).standard_normal((M, D)))
    logits = embedding(x, reverse=True)
    assert_within(logits, np.float64(x) @ np.float64(table.T), Bounds().gemm(x, table.T))
    tail = TokenEmbedding(buffers.pad_columns(table[_CHUNK - 3 :]), D)
    assert_same_bits(logits[-9:, _CHUNK - 3 :], tail(x[-9:], reverse=True))


@pytest.mark.kernel
@pytest.mark.parametrize("shape", [(5,), (0, 5), (2, 0, 5)])
def test_reverse_keeps_the_leading_shape(shape):
    assert layer()[0](np.ones(shape), reverse=True).shape == (*shape[:-1], 7)


@pytest.mark.kernel
def test_read_only_ids():
    table = np.arange(5 * 16, dtype=np.float32).reshape(5, 16)
    ids = np.array([[3, 1]], np.int32)
    ids.setflags(write=False)  # as JAX hands them over
    np.testing.assert_array_equal(TokenEmbedding(table, 16)(ids), table[ids])
