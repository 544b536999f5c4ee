from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import strategies as st
from ops.bounds import Bounds
from ops.checks import assert_near, compiled, dimensions, drawers
from precisions import every, given_in_every, rounded
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.dense import dense
from npbert.ops.projection import ACTIVATIONS, Projection, projection
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


@pytest.mark.parametrize("activation", ACTIVATIONS)
@given_in_every(data=st.data())
def test_kernels(activation, precision, data):
    B, K, M = data.draw(dimensions(3))
    make = data.draw(drawers(precision, ("normal", "tiny", "mostly zero")))
    bounds = Bounds(precision)
    x, kernel, bias = make(B, K), *map(precision.weights, (make(K, M), make(M)))
    bound = bounds.gemm(x, kernel, np.broadcast_to(bias, (B, M)))
    inner = bounds.rounded(dense(*(np.float64(each) for each in (x, kernel, bias))), bound)
    exact, (_, error) = ACTIVATIONS[activation][0](inner.value), inner
    bound = error  # identity and relu pass an error on as it is
    if activation == "gelu":
        bound = bounds.gelu("gelu", *inner).bound
    elif activation == "tanh":
        bound = error + bounds.elementwise("tanh", np.minimum(np.abs(exact) + error, 1))
    elif activation == "sigmoid":  # nowhere steeper than 1/4
        bound = error / 4 + bounds.elementwise("sigmoid", np.minimum(exact + error / 4, 1))
    options = {"activation": activation, "precision": precision}
    actual = compiled("projection", x, kernel, bias, **options)
    assert_near(actual, bounds.rounded(exact, bound), precision)


@pytest.mark.kernel
@every
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_row_does_not_know_the_others_and_padding_is_zero(activation, precision):
    x, kernel = (np.float32(np.random.default_rng(i).standard_normal((7, 21))) for i in (0, 1))
    x, bias = rounded(x[:, :7], precision), np.float32(np.arange(21))
    project = Projection(kernel, bias, activation, precision)
    whole = project(buffers.pad_columns(x, precision.real))
    assert (whole.shape, whole[:, 21:].any()) == ((7, 32), False)
    options = {"activation": activation, "precision": precision}
    for row in range(7):
        alone = compiled("projection", x[row : row + 1], kernel, bias, **options)
        assert_same_bits(alone[0], whole[row, :21])


@pytest.mark.kernel
@every
def test_copies_and_pickles_compute_the_same(precision):
    x, kernel = (np.float32(np.random.default_rng(i).standard_normal((9, 21))) for i in (0, 1))
    ours = Projection(kernel, np.float32(np.arange(21)), "tanh", precision)
    wide = buffers.pad_columns(x, precision.real)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert_same_bits(other(wide), ours(wide))
