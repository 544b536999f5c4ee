from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from simd import exact
from simd.exact import assert_same_bits

from npbert import simd
from npbert.simd import vector
from npbert.simd.kernel import kernel

anything = st.floats(width=32)
KINDS = {"float32": 32, "float64": 64}
"""What lanes are -> their bits."""
both = pytest.mark.parametrize("kind", KINDS)


def of_both(signature):
    """A kernel for each of `KINDS`, which ``{}`` stands for in the signature."""

    def decorate(function):
        return {kind: kernel(signature.format(*[kind] * 3))(function) for kind in KINDS}

    return decorate


def vectors(kind):
    numbers = st.floats(width=KINDS[kind]) | st.sampled_from([0.0, -0.0, 1.0])
    return hnp.arrays(kind, (4, 16), elements=numbers)


@given(anything, anything, anything)
def test_the_oracle_s_fma_is_that_of_c(a, b, c):
    assert_same_bits(exact.fma(a, b, c), exact.c_fma()(a, b, c))


@given(
    st.tuples(*[st.integers(-(2**24), 2**24)] * 2), st.integers(-(2**24), 2**24), st.integers(0, 48)
)
def test_the_oracle_s_fma_where_rounding_is_close(ab, c, shift):
    """A product of 48 bits, and an addend anywhere along it: ties and near-ties."""
    a, b, c = float(ab[0]), float(ab[1]), float(c) * 2.0**shift
    assert_same_bits(exact.fma(a, b, c), exact.c_fma()(a, b, c))


@of_both("void({}[:, ::1], {}[:, ::1])")
def arithmetic(x, out):
    """Each operation on the rows of ``x``, one a row of ``out``."""
    a, b, c, d = simd.load(x, 0, 0), simd.load(x, 1, 0), simd.load(x, 2, 0), simd.load(x, 3, 0)
    simd.store(a + b, out, 0, 0)
    simd.store(a - b, out, 1, 0)
    simd.store(a * b, out, 2, 0)
    simd.store(a / b, out, 3, 0)
    simd.store(-a, out, 4, 0)
    simd.store(simd.fma(a, b, c), out, 5, 0)
    simd.store(simd.sqrt(a), out, 6, 0)
    simd.store(vector.absolute(a), out, 7, 0)
    simd.store(vector.copy_sign(a, b), out, 8, 0)
    simd.store(simd.maximum(a, b), out, 9, 0)
    simd.store(vector.minimum(a, b), out, 10, 0)
    simd.store(vector.where_less(a, b, c, d), out, 11, 0)
    simd.store(a * b + c, out, 12, 0)
    simd.store(simd.add_lanes(a), out, 13, 0)
    simd.store(simd.max_lanes(a), out, 14, 0)
    out[15, :] = simd.lane(a)


def expected_of(a, b, c, d):
    """What NumPy makes of it in their type; one rounding to an operation."""
    fma = exact.fma if a.dtype == np.float32 else np.vectorize(exact.c_fma(64), "d")
    with np.errstate(all="ignore"):
        return {
            "+": a + b,
            "-": a - b,
            "*": a * b,
            "/": a / b,
            "negation": -a,
            "fma": fma(a, b, c),
            "sqrt": np.sqrt(a),
            "absolute": np.abs(a),
            "copy_sign": np.copysign(a, b),
            "maximum": np.where((a < b) | np.isnan(b), b, a),
            "minimum": np.where(a > b, b, a),
            "where_less": np.where(a < b, c, d),
            "* then +, never fused": a * b + c,
            "add_lanes": np.full(16, exact.add_lanes(a)),
            "max_lanes": np.full(16, np.max(a)),
            "lane": np.full(16, a[0]),
        }


@pytest.mark.kernel
@both
@given(st.data())
def test_each_operation_equals_numpy_s(kind, data):
    x = data.draw(vectors(kind))
    expected = expected_of(*x)
    out = np.empty((len(expected), 16), kind)
    arithmetic[kind](x, out)
    for (name, value), row in zip(expected.items(), out, strict=True):
        if name == "max_lanes":  # +0 and -0 are equally large
            value, row = value + value.dtype.type(0), row + row.dtype.type(0)
        assert_same_bits(row, value, name)


@pytest.mark.kernel
@both
def test_add_lanes_adds_in_the_order_of_the_contract(kind):
    """Numbers of which every order of adding makes something else."""
    a = np.random.default_rng(2).standard_normal(16).astype(kind)
    out = np.empty((16, 16), kind)
    arithmetic[kind](np.stack([a] * 4), out)
    assert_same_bits(out[13], np.full(16, exact.add_lanes(a)))
    in_order, pairs = np.cumsum(a)[-1], a.copy()
    while len(pairs) > 1:
        pairs = pairs[::2] + pairs[1::2]
    assert len({exact.add_lanes(a), in_order, pairs[0]}) == 3


@of_both("void({}[:, ::1], int64, {}[:, ::1])")
def first_lanes(x, count, out):
    simd.store(simd.first_lanes(simd.load(x, 0, 0), count, simd.load(x, 1, 0)), out, 0, 0)


@pytest.mark.kernel
@both
@given(count=st.integers(-3, 20))
def test_first_lanes(kind, count):
    x = np.arange(32, dtype=kind).reshape(2, 16)
    x[1, 3] = x[0, 5] = np.nan
    out = np.empty((1, 16), kind)
    first_lanes[kind](x, count, out)
    assert_same_bits(out[0], np.where(np.arange(16) < count, *x))


@kernel("void(int64, float64, float32, float32[:, ::1])")
def fill(integer, double, single, out):
    simd.store(simd.fill(integer), out, 0, 0)
    simd.store(simd.fill(double), out, 1, 0)
    simd.store(simd.fill(single), out, 2, 0)
    simd.store(simd.fill(0.1), out, 3, 0)


@kernel("void(int64, float64, float32, float64[:, ::1])")
def fill_64(integer, double, single, out):
    simd.store(vector.fill_64(integer), out, 0, 0)
    simd.store(vector.fill_64(double), out, 1, 0)
    simd.store(vector.fill_64(single), out, 2, 0)
    simd.store(vector.fill_64(0.1), out, 3, 0)


@pytest.mark.kernel
def test_fill_rounds_to_float32_and_fill_64_to_float64():
    single, double = np.empty((4, 16), np.float32), np.empty((4, 16))
    for kernel_, integer, out in (fill, 2**24 + 3, single), (fill_64, 2**53 + 3, double):
        kernel_(integer, 1e-12, np.float32(0.3), out)
        expected = np.array([integer + 1, 1e-12, np.float32(0.3), 0.1], out.dtype)
        assert_same_bits(out, np.repeat(expected[:, None], 16, axis=1))


@of_both("void({}[:, ::1], {}[:, ::1])")
def powers_of_two(x, out):
    simd.store(vector.power_of_two(simd.load(x, 0, 0)), out, 0, 0)


@pytest.mark.kernel
@both
@given(data=st.data())
def test_power_of_two(kind, data):
    fraction, bias = {"float32": (23, 127), "float64": (52, 1023)}[kind]
    n = data.draw(st.integers(1 - bias, bias))
    x, out = np.full((1, 16), 1.5 * 2.0**fraction + bias + n, kind), np.empty((1, 16), kind)
    powers_of_two[kind](x, out)
    assert_same_bits(out, np.full((1, 16), 2.0**n, kind))


def mixed_sum(x, y, out):
    simd.store(simd.load(x, 0, 0) + simd.load(y, 0, 0), out, 0, 0)


def mixed_maximum(x, y, out):
    simd.store(simd.maximum(simd.load(x, 0, 0), simd.load(y, 0, 0)), out, 0, 0)


def of_scalars(x, y, out):
    out[0, 0] = simd.sqrt(x[0, 0])


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (mixed_sum, r"No implementation of function .* signature:\s+>>> add\(f32x16, f64x16\)"),
        (mixed_maximum, "Cannot cast f64x16 to f32x16"),
        (of_scalars, "f32x16 or f64x16 expected, not float32"),
    ],
)
def test_what_is_not_of_one_kind_does_not_compile(function, message):
    from numba.core.errors import NumbaError

    made = kernel("void(float32[:, ::1], float64[:, ::1], float32[:, ::1])")(function)
    with pytest.raises(NumbaError, match=message):
        made.prepare()


@pytest.mark.kernel
def test_names_are_fetched_when_asked_for():
    for name in simd._PLACE_OF:
        assert getattr(simd, name) is not None
    with pytest.raises(AttributeError, match=r"module 'npbert.simd' has no attribute 'nothing'"):
        _ = simd.nothing
