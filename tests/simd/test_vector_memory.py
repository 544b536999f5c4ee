from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ml_dtypes import bfloat16
from simd.exact import assert_same_bits
from simd.memory import Canaries

from npbert import simd
from npbert.simd.kernel import kernel

pytestmark = pytest.mark.kernel

LOADED = {"float32": "float32", "float64": "float64", "uint16": "float32", "int16": "float32"}
"""The type of an array -> that of the lanes it is loaded into."""


def _move(x, row, column, out, out_row, out_column):
    simd.store(simd.load(x, row, column), out, out_row, out_column)


MOVES = {
    source: kernel(f"void({source}[:, ::1], int64, int64, {lanes}[:, ::1], int64, int64)")(_move)
    for source, lanes in LOADED.items()
}


MEANT = {"uint16": bfloat16, "int16": np.float16}
"""What the bits are in an array of 16-bit integers."""


def numbers_of(x):
    """What the values of an array mean."""
    return x.view(MEANT[x.dtype.name]).astype(np.float32) if x.dtype.name in MEANT else x


@pytest.mark.parametrize("kind", LOADED)
@given(data=st.data())
def test_load_and_store_touch_sixteen_values(kind, data):
    shapes = [(data.draw(st.integers(1, 4)), data.draw(st.integers(16, 40))) for _ in range(2)]
    x = np.random.default_rng(0).standard_normal(shapes[0]).astype(MEANT.get(kind, kind)).view(kind)
    guarded = Canaries()
    x, out = guarded(x), guarded(np.zeros(shapes[1], LOADED[kind]))
    (r, c), (s, d) = (
        (data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 16)))
        for rows, columns in shapes
    )
    MOVES[kind](x, r, c, out, s, d)
    expected = np.zeros_like(out)
    expected[s, d : d + 16] = numbers_of(x)[r, c : c + 16]
    assert_same_bits(out, expected)
    guarded.check()


@pytest.mark.parametrize("kind", ["uint16", "int16"])
def test_every_16_bit_float_is_loaded_exactly(kind):
    """Bfloat16 also where it is not finite; float16 need not be."""
    x = np.arange(2**16, dtype=np.uint16).view(kind).reshape(-1, 16)
    out = np.empty(x.shape, np.float32)
    for row in range(len(x)):
        MOVES[kind](x, row, 0, out, row, 0)
    expected = numbers_of(x)
    finite = np.isfinite(expected) | (kind == "uint16")
    assert finite.sum() >= 2**16 - 2**11
    assert_same_bits(out[finite], expected[finite])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (("float32", "float64"), r"f32x16 cannot be stored in array\(float64, 2d, C\)"),
        (("float64", "float32"), r"f64x16 cannot be stored in array\(float32, 2d, C\)"),
        (("uint16", "uint16"), r"f32x16 cannot be stored in array\(uint16, 2d, C\)"),
        (("int32", "float32"), r"no vector is loaded from array\(int32, 2d, C\)"),
    ],
)
def test_arrays_of_another_type_do_not_compile(arrays, message):
    from numba.core.errors import TypingError

    source, target = arrays
    made = kernel(f"void({source}[:, ::1], int64, int64, {target}[:, ::1], int64, int64)")(_move)
    with pytest.raises(TypingError, match=message):
        made.prepare()


OUT_OF_RANGE = """
import numpy as np
from simd.test_vector_memory import LOADED, MOVES

for kind, move in MOVES.items():
    x, out = np.ones((3, 32), kind), np.ones((2, 40), LOADED[kind])
    move(x, 2, 16, out, 1, 24)
    for name, arguments in {
        "row past the end": (x, 3, 0, out, 0, 0),
        "row before the start": (x, -1, 0, out, 0, 0),
        "load past the last column": (x, 0, 17, out, 0, 0),
        "load before the first column": (x, 1, -1, out, 0, 0),
        "store past the last column": (x, 0, 0, out, 0, 25),
        "store past the last row": (x, 0, 0, out, 2, 0),
    }.items():
        try:
            move(*arguments)
        except IndexError:
            print("caught:", kind, name)
        else:
            print("missed:", kind, name)
"""


def test_a_bounds_checked_run_catches_loads_and_stores_out_of_range():
    path = os.pathsep.join([str(Path(simd.__file__).parents[2]), str(Path(__file__).parents[1])])
    result = subprocess.run(
        [sys.executable, "-c", OUT_OF_RANGE],
        env={**os.environ, "PYTHONPATH": path, "NUMBA_BOUNDSCHECK": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 6 * len(LOADED)
    assert all(line.startswith("caught: ") for line in lines), result.stdout
