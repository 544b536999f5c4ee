"""One width of weights rounded to another, and what is saved of it."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from npbert.dtype_policy import numpy_dtype
from npbert.errors import ConfigError, WeightError
from npbert.weights.dtypes import (
    ITEM_BYTES,
    bytes_of,
    check_saved_dtype,
    largest,
    rounded,
    stored_as,
)

VALUES = np.random.default_rng(5).standard_normal((3, 7)).astype(np.float32)


def test_the_widths():
    assert stored_as(VALUES, "float32", "x").tobytes() == VALUES.tobytes()
    assert stored_as(VALUES, "float16", "x").tobytes() == VALUES.astype(np.float16).tobytes()
    bits = stored_as(VALUES, "bfloat16", "x")
    assert bits.dtype == np.uint16
    assert bits.tobytes() == VALUES.astype(ml_dtypes.bfloat16).tobytes()
    assert stored_as(VALUES, "float64", "x").tobytes() == VALUES.astype(np.float64).tobytes()
    assert all(stored_as(VALUES, d, "x").itemsize == size for d, size in ITEM_BYTES.items())


def test_ties_to_even():
    # Between 1 and the next bfloat16, and between that and the one after.
    ties = np.float32([1 + 2**-8, 1 + 3 * 2**-8])
    assert stored_as(ties, "bfloat16", "x").tolist() == [0x3F80, 0x3F82]


def test_big_endian_arrays_are_stored_little_endian():
    assert stored_as(VALUES.astype(">f4"), "float32", "x").tobytes() == VALUES.tobytes()


@pytest.mark.parametrize(
    ("dtype", "value", "expected", "fix"),
    [
        ("float16", 65520.0, "at most 65504", "'float32'"),
        ("bfloat16", 3.4e38, "at most 3.3895e38", "'float32'"),
        ("float32", 1e39, "at most 3.4028e38", "'float64'"),
    ],
)
def test_too_large(dtype: str, value: float, expected: str, fix: str):
    array = np.array([1, -value])
    with pytest.raises(WeightError, match=f"'x' has values too large for {dtype}") as error:
        stored_as(array, dtype, "x")
    assert error.value.received == f"{value:g}"
    assert error.value.expected == expected
    assert error.value.fix == f"choose a dtype that goes further, such as {fix}"
    assert error.value.where is None
    with pytest.raises(WeightError) as error:
        rounded(array, dtype, "x", "a file: y")
    assert error.value.where == "a file: y"


@pytest.mark.parametrize("dtype", ITEM_BYTES)
@pytest.mark.parametrize("own", ITEM_BYTES)
def test_from_any_width_to_any(own: str, dtype: str):
    array = VALUES.astype(numpy_dtype(own))
    found = rounded(array, dtype, "x")
    assert found.dtype == numpy_dtype(dtype)
    assert found.tobytes() == array.astype(numpy_dtype(dtype)).tobytes()
    assert (found is array) == (own == dtype)
    assert stored_as(array, dtype, "x").tobytes() == found.tobytes() == bytes(bytes_of(found))


def test_float64_in_the_other_order_of_bytes_is_rounded_once():
    array = np.array([1 + 2.0**-25, 1 + 3 * 2.0**-25], ">f8")
    assert rounded(array, "float32", "x").tolist() == [1.0, 1 + 2.0**-23]


@pytest.mark.parametrize("dtype", ITEM_BYTES)
def test_of_another_layout(dtype: str):
    array = VALUES.astype(numpy_dtype(dtype))
    found = rounded(array.T, dtype, "x")
    assert found.flags.c_contiguous
    assert found.tobytes() == array.T.tobytes()
    if dtype != "bfloat16":  # which is never in the other order of bytes
        assert rounded(array.astype(array.dtype.newbyteorder(">")), dtype, "x").dtype.isnative


@pytest.mark.parametrize("dtype", [">f2", *ITEM_BYTES])
@pytest.mark.parametrize("values", [[1.5, -3, 2], [-3, -1], [0.5, 3], [-0.0, 0.0], [2**-14, 0]])
def test_the_largest_magnitude(dtype: str, values: list[float]):
    array = np.array(values, np.dtype(dtype) if dtype[0] == ">" else numpy_dtype(dtype))
    assert largest(array) == np.abs(array.astype(np.float64)).max()
    for bad in (np.inf, -np.inf, np.nan, -np.nan):
        found = largest(np.concatenate([array, np.array([bad]).astype(array.dtype)]))
        assert np.array_equal(found, np.abs(bad), equal_nan=True)


@pytest.mark.parametrize("dtype", ["half", "int8", None, np.float32, 16])
def test_other_dtypes(dtype):
    assert check_saved_dtype("bfloat16") == "bfloat16"
    with pytest.raises(ConfigError, match="cannot be saved in this dtype") as error:
        check_saved_dtype(dtype)
    assert error.value.expected == "'float32' or 'float64' or 'float16' or 'bfloat16'"
