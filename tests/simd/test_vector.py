from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
vectors = hnp.arrays(np.float32, 16, elements=anything | st.sampled_from([0.0, -0.0, 1.0]))


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


@kernel("void(float32[:, ::1], float32[:, ::1])")
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
    simd.store(simd.fill(simd.lane(a)), out, 15, 0)


def expected_of(a, b, c, d):
    """What NumPy makes of it in float32; one rounding to an operation."""
    with np.errstate(all="ignore"):
        return {
            "+": a + b,
            "-": a - b,
            "*": a * b,
            "/": a / b,
            "negation": -a,
            "fma": exact.fma(a, b, c),
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
@given(vectors, vectors, vectors, vectors)
def test_each_operation_equals_numpy_s(a, b, c, d):
    expected = expected_of(a, b, c, d)
    out = np.empty((len(expected), 16), np.float32)
    arithmetic(np.stack([a, b, c, d]), out)
    for (name, value), row in zip(expected.items(), out, strict=True):
        if name == "max_lanes":  # +0 and -0 are equally large
            value, row = value + np.float32(0), row + np.float32(0)
        assert_same_bits(row, value, name)


@pytest.mark.kernel
def test_add_lanes_adds_in_the_order_of_the_contract():
    """Numbers of which every order of adding makes something else."""
    a = np.random.default_rng(2).standard_normal(16).astype(np.float32)
    out = np.empty((16, 16), np.float32)
    arithmetic(np.stack([a] * 4), out)
    assert_same_bits(out[13], np.full(16, exact.add_lanes(a)))
    in_order, pairs = np.cumsum(a)[-1], a.copy()
    while len(pairs) > 1:
        pairs = pairs[::2] + pairs[1::2]
    assert len({exact.add_lanes(a), in_order, pairs[0]}) == 3


@kernel("void(float32[:, ::1], int64, float32[:, ::1])")
def first_lanes(x, count, out):
    simd.store(simd.first_lanes(simd.load(x, 0, 0), count, simd.load(x, 1, 0)), out, 0, 0)


@pytest.mark.kernel
@given(st.integers(-3, 20))
def test_first_lanes(count):
    x = np.arange(32, dtype=np.float32).reshape(2, 16)
    x[1, 3] = x[0, 5] = np.nan
    out = np.empty((1, 16), np.float32)
    first_lanes(x, count, out)
    assert_same_bits(out[0], np.where(np.arange(16) < count, *x))


@kernel("void(int64, float64, float32, float32[:, ::1])")
def fill(integer, double, single, out):
    simd.store(simd.fill(integer), out, 0, 0)
    simd.store(simd.fill(double), out, 1, 0)
    simd.store(simd.fill(single), out, 2, 0)
    simd.store(simd.fill(0.1), out, 3, 0)


@pytest.mark.kernel
def test_fill_rounds_to_float32():
    out = np.empty((4, 16), np.float32)
    fill(2**24 + 3, 1e-12, np.float32(0.3), out)
    expected = np.float32([2**24 + 4, 1e-12, 0.3, 0.1])
    assert_same_bits(out, np.repeat(expected[:, None], 16, axis=1))


@kernel("void(float32[:, ::1], float32[:, ::1])")
def powers_of_two(x, out):
    simd.store(vector.power_of_two(simd.load(x, 0, 0)), out, 0, 0)


@pytest.mark.kernel
@given(st.integers(-126, 127))
def test_power_of_two(n):
    x, out = np.full((1, 16), 1.5 * 2**23 + 127 + n, np.float32), np.empty((1, 16), np.float32)
    powers_of_two(x, out)
    assert_same_bits(out, np.full((1, 16), 2.0**n, np.float32))


@kernel("void(float32[:, ::1], int64, int64, float32[:, ::1], int64, int64)")
def move(x, row, column, out, out_row, out_column):
    simd.store(simd.load(x, row, column), out, out_row, out_column)


@pytest.mark.kernel
@given(st.data())
def test_load_and_store_touch_sixteen_values(data):
    shapes = [(data.draw(st.integers(1, 4)), data.draw(st.integers(16, 40))) for _ in range(2)]
    x = np.random.default_rng(0).standard_normal(shapes[0]).astype(np.float32)
    out = np.zeros(shapes[1], np.float32)
    (r, c), (s, d) = (
        (data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 16)))
        for rows, columns in shapes
    )
    move(x, r, c, out, s, d)
    expected = np.zeros_like(out)
    expected[s, d : d + 16] = x[r, c : c + 16]
    assert_same_bits(out, expected)


OUT_OF_RANGE = """
import numpy as np
from npbert.ops.embedding import lookup_kernel
from npbert.ops.pooler import tanh_kernel

table, out = np.ones((3, 32), np.float32), np.ones((2, 32), np.float32)
lookup_kernel(np.array([0, 2], np.int32), table, out)
tanh_kernel(out, out)
for name, kernel, arguments in [
    ("row past the end", lookup_kernel, (np.array([0, 3], np.int32), table, out)),
    ("row before the start", lookup_kernel, (np.array([0, -1], np.int32), table, out)),
    ("load past the last column", tanh_kernel, (table[:, :20].copy(), table)),
    ("store past the last column", tanh_kernel, (table, np.ones((3, 31), np.float32))),
    ("store past the last row", tanh_kernel, (table, out)),
    ("ids past the end", lookup_kernel, (np.zeros(1, np.int32), table, out)),
]:
    try:
        kernel(*arguments)
    except IndexError:
        print("caught:", name)
    else:
        print("missed:", name)
"""


@pytest.mark.kernel
def test_a_bounds_checked_run_catches_loads_and_stores_out_of_range():
    root = Path(simd.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", OUT_OF_RANGE],
        env={**os.environ, "PYTHONPATH": str(root), "NUMBA_BOUNDSCHECK": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("caught: ") for line in lines), result.stdout


@pytest.mark.kernel
def test_names_are_fetched_when_asked_for():
    for name in simd._MODULE_OF:
        assert getattr(simd, name) is not None
    with pytest.raises(AttributeError, match=r"module 'npbert.simd' has no attribute 'nothing'"):
        _ = simd.nothing
