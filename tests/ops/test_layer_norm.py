from __future__ import annotations

import math

import numpy as np
import pytest
import tolerances
from hypothesis import strategies as st
from ops import checks
from ops.bounds import Bounds
from ops.checks import compiled, dimensions, drawers
from precisions import every, given_in_every, rounded
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.layer_norm import layer_norm, layer_norm_kernel
from npbert.simd import buffers
from npbert.simd.precision import FLOAT32

EPSILON = 1e-12


def test_by_hand():
    x = np.array([[-1.0, 0.0, 1.0, 4.0]])  # mean 1, variance 3.5
    expected = np.array([[-2.0, -1.0, 0.0, 3.0]]) / math.sqrt(3.5 + 1.0) * 2 + 5
    out = layer_norm(x, np.full(4, 2.0), np.full(4, 5.0), epsilon=1.0)
    assert_within(out, expected, tolerances.definition(expected))


def test_the_variance_is_biased():
    out = layer_norm(np.array([[0.0, 2.0]]), np.ones(2), np.zeros(2), epsilon=0.0)
    assert out.tolist() == [[-1.0, 1.0]]


def check(x, gamma, beta, epsilon, precision):
    bound = Bounds(precision).layer_norm(x, gamma, beta, epsilon)
    checks.check("layer_norm", x, gamma, beta, epsilon=epsilon, bound=bound, precision=precision)


def normalized(*arrays, precision=FLOAT32):
    return compiled("layer_norm", *arrays, epsilon=EPSILON, precision=precision)


@given_in_every(data=st.data(), epsilon=st.sampled_from([1e-12, 1e-7, 1e-5]))
def test_kernel(precision, data, epsilon):
    B, T, D = data.draw(dimensions(3))
    make = [data.draw(drawers(precision)) for _ in range(2)]
    check(make[0](B, T, D), make[1](D), make[1](D), epsilon, precision)


@given_in_every(
    D=st.sampled_from([384, 512, 768, 1024, 1000]),
    mean=st.sampled_from([0.0, 0.1, 10.0, 1000.0]),
    seed=st.integers(0, 99),
)
def test_kernel_at_the_widths_of_models(precision, D, mean, seed):
    random, real = np.random.default_rng(seed), precision.real
    x = rounded((random.standard_normal((3, D)) + mean).astype(real), precision)
    check(x, *random.standard_normal((2, D)).astype(real), EPSILON, precision)


@given_in_every(value=st.floats(-1e4, 1e4, width=16), D=st.integers(1, 50))
def test_a_constant_row(precision, value, D):
    """No spread at all: only epsilon keeps the division finite."""
    x, beta = np.full((2, D), value, precision.real), np.arange(D, dtype=precision.real)
    check(rounded(x, precision), np.ones_like(beta), beta, EPSILON, precision)


@given_in_every(data=st.data())
def test_a_row_does_not_know_the_others(precision, data):
    R, D = data.draw(dimensions(2))
    make = data.draw(drawers(precision))
    x, gamma, beta = make(R, D), make(D), make(D)
    whole = normalized(x, gamma, beta, precision=precision)
    for row in range(R):
        alone = normalized(x[row : row + 1], gamma, beta, precision=precision)
        assert_same_bits(alone[0], whole[row])


@pytest.mark.kernel
@every
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", [0, 15, 16, 36])
def test_what_is_not_finite_goes_through_and_stays_in_its_row(bad, column, precision):
    x = np.random.default_rng(0).standard_normal((3, 37)).astype(precision.real)
    gamma = beta = np.ones(37, precision.real)
    clean = normalized(x, gamma, beta, precision=precision)
    x[1, column] = bad
    out = normalized(x, gamma, beta, precision=precision)
    assert np.isnan(out[1]).all()
    assert_same_bits(out[[0, 2]], clean[[0, 2]])


@pytest.mark.kernel
def test_in_place_and_padding():
    random = np.random.default_rng(0)
    x = buffers.pad_columns(np.float32(random.standard_normal((5, 21))))
    gamma, beta = (
        buffers.pad_columns(np.float32(random.standard_normal((1, 21)))) for _ in range(2)
    )
    out = buffers.empty(5, 32)
    layer_norm_kernel(x, gamma, beta, EPSILON, 21, out)
    layer_norm_kernel(x, gamma, beta, EPSILON, 21, x)
    assert_same_bits(x, out)
    assert not out[:, 21:].any()
