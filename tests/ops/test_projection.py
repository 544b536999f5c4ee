from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import tolerances
from hypothesis import given
from hypothesis import strategies as st
from ops.checks import check, compiled, dimensions, drawers
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.dense import dense
from npbert.ops.projection import ACTIVATIONS, Projection, projection
from npbert.ops.sigmoid import sigmoid
from npbert.simd import buffers


def test_by_hand():
    x, kernel, bias = np.array([[1.0, 2.0]]), np.eye(2)[::-1] * [1, -1], np.array([0.5, 1.0])
    expected = {
        "identity": [[2.5, 0]],
        "tanh": [[np.tanh(2.5), 0]],
        "gelu": [[1.25 * (1 + math.erf(2.5 / math.sqrt(2))), 0]],
        "relu": [[2.5, 0]],
        "sigmoid": [[1 / (1 + np.exp(-2.5)), 0.5]],
    }
    for activation, values in expected.items():
        out = projection(x, kernel, bias, activation=activation)
        assert_within(out, np.array(values), 1e-15)


@pytest.mark.kernel
@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(data=st.data())
def test_kernels(activation, data):
    B, K, M = data.draw(dimensions(3))
    make = data.draw(drawers(("normal", "tiny", "mostly zero")))
    x, kernel, bias = make(B, K), make(K, M), make(M)
    exact = dense(*(np.float64(each) for each in (x, kernel, bias)))
    error = tolerances.gemm(x, kernel, np.broadcast_to(bias, (B, M)))
    bound = error  # identity and relu pass an error on as it is
    if activation == "gelu":
        near = tolerances.elementwise("gelu", np.abs(exact) + error)
        bound = tolerances.GELU_SLOPE * error + near
    elif activation == "tanh":
        bound = error + tolerances.elementwise("tanh", np.minimum(np.abs(exact) + error, 1))
    elif activation == "sigmoid":  # nowhere steeper than 1/4
        near = tolerances.elementwise("sigmoid", np.minimum(sigmoid(exact) + error / 4, 1))
        bound = error / 4 + near
    check("projection", x, kernel, bias, activation=activation, bound=bound)


@pytest.mark.kernel
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_row_does_not_know_the_others_and_padding_is_zero(activation):
    x, kernel = (np.float32(np.random.default_rng(i).standard_normal((7, 21))) for i in (0, 1))
    x, bias = x[:, :7], np.float32(np.arange(21))
    whole = Projection(kernel, bias, activation)(buffers.pad_columns(x))
    assert (whole.shape, whole[:, 21:].any()) == ((7, 32), False)
    for row in range(7):
        alone = compiled("projection", x[row : row + 1], kernel, bias, activation=activation)
        assert_same_bits(alone[0], whole[row, :21])


@pytest.mark.kernel
def test_copies_and_pickles_compute_the_same():
    x, kernel = (np.float32(np.random.default_rng(i).standard_normal((9, 21))) for i in (0, 1))
    ours = Projection(kernel, np.float32(np.arange(21)), "tanh")
    wide = buffers.pad_columns(x)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert_same_bits(other(wide), ours(wide))
