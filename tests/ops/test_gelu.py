from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import tolerances
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ops.bounds import Bounds
from ops.checks import assert_near, compiled, dimensions, drawers, numbers
from precisions import every, given_in_every
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.gelu import GELU_KERNELS, gelu, gelu_approximate
from npbert.simd import buffers

BOTH = pytest.mark.parametrize("name", ["gelu_approximate", "gelu"])
DEFINITIONS = {"gelu_approximate": gelu_approximate, "gelu": gelu}
ROOT = math.sqrt(2 / math.pi)


def without_cancelling(name, x):
    """Both GELUs in float64, to full relative accuracy in the left tail too."""
    x = np.asarray(x, np.float64)
    with np.errstate(over="ignore", under="ignore"):
        if name == "gelu":
            return x * np.exp(scipy.special.log_ndtr(x))
        return x * np.exp(scipy.special.log_expit(2 * ROOT * x * (1 + 0.044715 * x * x)))


def test_by_hand():
    one = np.array([1.0])
    expected = 0.5 * (1 + math.erf(math.sqrt(0.5)))
    assert_within(gelu(one), np.array([expected]), tolerances.definition(one))
    expected = 0.5 * (1 + math.tanh(ROOT * 1.044715))
    assert_within(gelu_approximate(one), np.array([expected]), tolerances.definition(one))
    assert gelu(np.zeros(1)) == gelu_approximate(np.zeros(1)) == 0


def test_how_far_apart_they_are():
    x = np.linspace(-6, 6, 120001)
    apart = np.abs(gelu(x) - gelu_approximate(x))
    assert 4.72e-4 < apart.max() < 4.74e-4
    assert abs(x[apart.argmax()]) == pytest.approx(2.70, abs=0.01)


@BOTH
def test_slope(name):
    """What `tolerances.GELU_SLOPE` says."""
    x = np.linspace(-6, 6, 120001)
    slope = np.abs(np.diff(DEFINITIONS[name](x)) / np.diff(x)).max()
    assert 1.12 < slope < tolerances.GELU_SLOPE


@BOTH
@given(x=hnp.arrays(np.float64, 9, elements=st.floats(-1e100, 1e100)))
def test_definition_equals_a_form_that_does_not_cancel(name, x):
    expected = without_cancelling(name, x)
    bound = tolerances.definition_of_gelu(x) + tolerances.definition(expected)
    with np.errstate(over="ignore", under="ignore"):
        assert_within(DEFINITIONS[name](x), expected, bound + 5e-324)


@BOTH
def test_definition_in_float32(name):
    x = np.linspace(-5, 5, 11, dtype=np.float32)
    assert DEFINITIONS[name](x).dtype == np.float32


def assert_exact(name, x, precision):
    """Relative accuracy everywhere: through the left tail down to the subnormal results."""
    expected, bounds = without_cancelling(name, x), Bounds(precision)
    bound = bounds.elementwise(name, expected)
    if bounds.double:  # what is expected is off too: its exponent is, by roundings of its own size
        a = np.minimum(np.abs(x), 40)  # past which nothing is left
        exponent = a * a / 2 if name == "gelu" else 2 * ROOT * a * (1 + 0.044715 * a * a)
        bound = bound * (1 + exponent)
    near = bounds.rounded(expected, bound)
    assert_near(compiled(name, x, precision=precision), near, precision)


@BOTH
@given_in_every(data=st.data())
def test_kernel(name, precision, data):
    B, T, F = data.draw(dimensions(3))
    x = data.draw(drawers(precision))(B, T, F)
    assert_near(compiled(name, x, precision=precision), Bounds(precision).gelu(name, x), precision)
    assert_exact(name, x, precision)


@BOTH
@given_in_every(data=st.data())
def test_kernel_on_any_number(name, precision, data):
    assert_exact(name, data.draw(numbers(3, 21, precision=precision, limit=16)), precision)


@pytest.mark.kernel
@BOTH
@every
def test_what_is_not_finite(name, precision):
    """At -inf the limit; the formula of the definition would be -inf * 0."""
    x = np.array([[np.nan, np.inf, -np.inf, 1.0, 0.0, -0.0]], precision.real)
    out = compiled(name, x, precision=precision)[0]
    assert np.isnan(out[0])
    assert out[1] == np.inf
    assert out[2] == 0
    assert_same_bits(out[3], compiled(name, x[:, 3:4], precision=precision)[0, 0])
    assert_same_bits(out[4:], x[0, 4:])


@pytest.mark.kernel
@BOTH
def test_in_place_and_padding(name):
    x = buffers.pad_columns(np.float32(np.random.default_rng(0).standard_normal((5, 21))))
    out = buffers.empty(5, 32)
    GELU_KERNELS[name](x, out)
    GELU_KERNELS[name](x, x)
    assert_same_bits(x, out)
    assert not out[:, 21:].any()


@pytest.mark.kernel
@BOTH
@every
def test_a_value_does_not_know_its_place(name, precision):
    value = np.full((1, 1), -1.2345, precision.real)
    random = np.random.default_rng(0)
    expected = compiled(name, value, precision=precision)[0, 0]
    for place in range(33):
        x = random.standard_normal((2, 33)).astype(precision.real)
        x[1, place] = value[0, 0]
        assert_same_bits(compiled(name, x, precision=precision)[1, place], expected)
