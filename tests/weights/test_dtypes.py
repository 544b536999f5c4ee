"""float32 rounded to what is saved."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from npbert.errors import ConfigError, WeightError
from npbert.weights.dtypes import ITEM_BYTES, check_saved_dtype, stored_as

VALUES = np.random.default_rng(5).standard_normal((3, 7)).astype(np.float32)


def test_the_widths():
    assert stored_as(VALUES, "float32", "x").tobytes() == VALUES.tobytes()
    assert stored_as(VALUES, "float16", "x").tobytes() == VALUES.astype(np.float16).tobytes()
    bits = stored_as(VALUES, "bfloat16", "x")
    assert bits.dtype == np.uint16
    assert bits.tobytes() == VALUES.astype(ml_dtypes.bfloat16).tobytes()
    assert all(stored_as(VALUES, d, "x").itemsize == size for d, size in ITEM_BYTES.items())


def test_ties_to_even():
    # Between 1 and the next bfloat16, and between that and the one after.
    ties = np.float32([1 + 2**-8, 1 + 3 * 2**-8])
    assert stored_as(ties, "bfloat16", "x").tolist() == [0x3F80, 0x3F82]


def test_big_endian_arrays_are_stored_little_endian():
    assert stored_as(VALUES.astype(">f4"), "float32", "x").tobytes() == VALUES.tobytes()


@pytest.mark.parametrize(("dtype", "value"), [("float16", 65520.0), ("bfloat16", 3.4e38)])
def test_too_large(dtype, value):
    with pytest.raises(WeightError, match=f"'x' has values too large for {dtype}") as error:
        stored_as(np.float32([1, -value]), dtype, "x")
    assert error.value.received == f"{value:g}"


@pytest.mark.parametrize("dtype", ["float64", "int8", None, np.float32, 16])
def test_other_dtypes(dtype):
    assert check_saved_dtype("bfloat16") == "bfloat16"
    with pytest.raises(ConfigError, match="cannot be saved in this dtype") as error:
        check_saved_dtype(dtype)
    assert error.value.expected == "'float32' or 'float16' or 'bfloat16'"
