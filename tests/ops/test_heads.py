from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import tolerances
from hypothesis import strategies as st
from ops.bounds import Bounds
from ops.checks import assert_near, compiled, dimensions, drawers
from precisions import every, given_in_every, rounded
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.dense import dense
from npbert.ops.heads import (
    CLASSIFIER_ACTIVATIONS,
    ClassifierHead,
    MaskedLMHead,
    classifier_head,
    masked_lm_head,
)
from npbert.ops.layer_norm import layer_norm
from npbert.ops.token_embedding import TokenEmbedding
from npbert.simd import buffers, gemm
from npbert.simd.precision import FLOAT32

CALM = ("normal", "tiny", "mostly zero", "zeros of both signs")


def test_a_classifier_by_hand():
    pooled, kernel = np.array([[1.0, 2.0]]), np.array([[0.5, 1.0], [0.25, -1.0]])
    bias, third = np.array([0.0, 1.0 + math.log(3)]), math.log(3)
    logits = np.array([[1.0, third]])
    for activation, expected in (
        ("linear", logits),
        ("softmax", scipy.special.softmax(logits, axis=-1)),
        ("sigmoid", np.array([[scipy.special.expit(1.0), 0.75]])),
        ("tanh", np.array([[math.tanh(1.0), 0.8]])),
    ):
        out = classifier_head(pooled, kernel, bias, activation=activation)
        assert_within(out, expected, tolerances.definition(expected))


def test_a_masked_lm_by_hand():
    """The dense layer's outputs are 0 and 20, past every GELU's bend: the norm makes them -1, 1."""
    out = masked_lm_head(
        np.array([[2.0, 1.0]]),
        np.array([[-40.0, 10.0], [0.0, 0.0]]),
        np.array([0.0, 0.0]),
        np.array([3.0, 1.0]),
        np.array([0.0, 1.0]),
        np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        np.array([10.0, 20.0, 30.0]),
        activation="gelu",
        epsilon=1e-300,
    )
    expected = np.array([[7.0, 22.0, 29.0]])
    assert_within(out, expected, tolerances.definition(expected))


@pytest.mark.parametrize("activation", CLASSIFIER_ACTIVATIONS)
@given_in_every(data=st.data())
def test_the_classifier_s_kernels(activation, precision, data):
    B, D, C = data.draw(dimensions(3))
    make, bounds = data.draw(drawers(precision, CALM)), Bounds(precision)
    pooled, kernel, bias = make(B, D), *map(precision.weights, (make(D, C), make(C)))
    bound = bounds.gemm(pooled, kernel, np.broadcast_to(bias, (B, C)))
    inner = bounds.rounded(dense(*(np.float64(x) for x in (pooled, kernel, bias))), bound)
    exact, (logits, error) = CLASSIFIER_ACTIVATIONS[activation](inner.value), inner
    if activation == "softmax":
        # The largest logit is off too, by as much as any.
        off = error + error.max(axis=-1, keepdims=True)
        bound = bounds.softmax(logits, np.ones(logits.shape, bool), off)
    elif activation == "sigmoid":  # nowhere steeper than 1/4
        bound = error / 4 + bounds.elementwise("sigmoid", np.minimum(exact + error / 4, 1))
    elif activation == "tanh":
        bound = error + bounds.elementwise("tanh", np.minimum(np.abs(exact) + error, 1))
    else:
        bound = error
    options = {"activation": activation, "precision": precision}
    actual = compiled("classifier_head", pooled, kernel, bias, **options)
    assert_near(actual, bounds.rounded(exact, bound), precision)


@pytest.mark.parametrize("activation", ["gelu", "gelu_approximate"])
@given_in_every(data=st.data())
def test_the_masked_lm_s_kernels(activation, precision, data):
    """Each step passes on the error of the one before, and adds its own."""
    M, D, V = data.draw(dimensions(3))
    epsilon = data.draw(st.sampled_from([1e-5, 1e-12]))
    make, bounds = data.draw(drawers(precision, CALM[:2])), Bounds(precision)
    shapes = (D, D), (D,), (D,), (D,), (V, D), (V,)
    arguments = make(M, D), *(precision.weights(make(*shape)) for shape in shapes)
    wide = hidden, kernel, bias, gamma, beta, table, output_bias = [
        np.float64(x) for x in arguments
    ]

    error = bounds.gemm(hidden, kernel, np.broadcast_to(bias, (M, D)))
    inner = bounds.rounded(dense(hidden, kernel, bias), error)
    active, error = bounds.gelu(activation, *inner)
    # The norm's own error, for a row that is off by as much.
    own = bounds.layer_norm(active, gamma, beta, epsilon)
    error = bounds.through_layer_norm(active, error, gamma, epsilon) + 2 * own
    normal = bounds.rounded(layer_norm(active, gamma, beta, epsilon=epsilon), error)
    added = np.broadcast_to(output_bias, (M, V))
    error = normal.bound @ np.abs(table.T)
    error += bounds.gemm(np.abs(normal.value) + normal.bound, table.T, added)
    logits = bounds.rounded(dense(normal.value, table.T, output_bias), error)
    options = {"activation": activation, "epsilon": epsilon}
    actual = compiled("masked_lm_head", *arguments, **options, precision=precision)
    assert_near(actual, logits, precision)
    if not precision.rounded:
        assert_same_bits(logits.value, masked_lm_head(*wide, **options))


def head(D=21, V=37, precision=FLOAT32):
    """A masked LM's head, its table, and the arrays of both."""
    random = np.random.default_rng(0)
    shapes = (D, D), (D,), (D,), (D,), (V, D), (V,)
    arrays = [np.float32(random.standard_normal(shape)) for shape in shapes]
    kernel, bias, gamma, beta, table, output_bias = arrays
    options = {"activation": "gelu", "epsilon": 1e-5, "precision": precision}
    made = MaskedLMHead(kernel, bias, gamma, beta, output_bias, **options)
    stored = buffers.pad_columns(precision.bits(table), precision.stored_dtype)
    return made, TokenEmbedding(stored, D, precision), arrays


@pytest.mark.kernel
@every
def test_a_row_does_not_know_the_others(precision):
    masked_lm, table, (kernel, bias, *_) = head(precision=precision)
    hidden = np.random.default_rng(1).standard_normal((9, 21)).astype(precision.real)
    hidden = rounded(hidden, precision)
    together = masked_lm(hidden, table)
    for row in (0, 4, 8):
        assert_same_bits(masked_lm(hidden[row : row + 1], table)[0], together[row])
    for activation in CLASSIFIER_ACTIVATIONS:
        classifier = ClassifierHead(kernel[:, :5], bias[:5], activation, precision)
        together = classifier(hidden)
        for row in (0, 4, 8):
            assert_same_bits(classifier(hidden[row : row + 1])[0], together[row])


@pytest.mark.kernel
def test_columns_may_be_padded():
    """As the engine's rows are."""
    masked_lm, table, (kernel, bias, *_) = head()
    hidden = np.float32(np.random.default_rng(1).standard_normal((4, 21)))
    padded = buffers.pad_columns(hidden)
    assert_same_bits(masked_lm(padded, table), masked_lm(hidden, table))
    classifier = ClassifierHead(kernel[:, :5], bias[:5], "linear")
    assert_same_bits(classifier(padded), classifier(hidden))


@pytest.mark.kernel
def test_no_rows():
    masked_lm, table, (kernel, bias, *_) = head()
    assert masked_lm(np.empty((0, 21), np.float32), table).shape == (0, 37)
    for activation in CLASSIFIER_ACTIVATIONS:
        classifier = ClassifierHead(kernel[:, :5], bias[:5], activation)
        assert classifier(np.empty((0, 21), np.float32)).shape == (0, 5)


@pytest.mark.kernel
def test_what_was_given_may_change():
    masked_lm, table, (kernel, bias, gamma, beta, *_) = head()
    classifier = ClassifierHead(kernel[:, :5], bias[:5], "linear")
    hidden = np.ones((1, 21), np.float32)
    before = masked_lm(hidden, table), classifier(hidden)
    for array in (kernel, bias, gamma, beta):
        array[:] = 7
    assert_same_bits(masked_lm(hidden, table), before[0])
    assert_same_bits(classifier(hidden), before[1])


@pytest.mark.kernel
def test_a_sum_longer_than_a_chain():
    """Deeper than the contract's cut, against the definition."""
    D = gemm.DEPTH + 3
    _, _, arrays = head(D)
    hidden = np.float32(np.random.default_rng(2).standard_normal((2, D)))
    out = compiled("masked_lm_head", hidden, *arrays, activation="gelu", epsilon=1e-5)
    exact = masked_lm_head(
        *(np.float64(x) for x in (hidden, *arrays)), activation="gelu", epsilon=1e-5
    )
    np.testing.assert_allclose(out, exact, rtol=0, atol=1e-4)
