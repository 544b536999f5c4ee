from __future__ import annotations

import numpy as np
import pytest
from ml_dtypes import bfloat16
from precisions import ALL, every

from npbert.dtype_policy import numpy_dtype
from npbert.simd.precision import (
    BFLOAT16,
    BFLOAT16_STORED,
    FLOAT16,
    FLOAT16_STORED,
    FLOAT32,
    FLOAT64,
    PRECISIONS,
)


def test_by_name():
    assert list(PRECISIONS) == [
        *("float32", "float64", "float16", "bfloat16"),
        *("float16_from_float32", "bfloat16_from_float32"),
    ]
    assert all(precision.name == name for name, precision in PRECISIONS.items())
    assert len(set(ALL)) == 6


@pytest.mark.parametrize(
    ("precision", "real", "laid_out_as", "rows", "widens", "plain"),
    [
        (FLOAT32, np.float32, np.float32, 1, False, FLOAT32),
        (FLOAT64, np.float64, np.float64, 1, False, FLOAT64),
        (FLOAT16, np.float32, np.int16, 1, True, FLOAT32),
        (BFLOAT16, np.float32, np.uint16, 2, True, FLOAT32),
        (FLOAT16_STORED, np.float32, np.int16, 1, True, FLOAT32),
        (BFLOAT16_STORED, np.float32, np.uint16, 2, True, FLOAT32),
    ],
)
def test_what_follows_from_one(precision, real, laid_out_as, rows, widens, plain):
    assert precision.real_dtype == real
    assert precision.stored_dtype == laid_out_as
    assert precision.rows_together == rows
    assert precision.widens == widens
    assert precision.plain == plain


def test_only_the_modes_of_storage_do_not_round():
    assert [each.rounded for each in ALL] == [None, None, "float16", "bfloat16", None, None]


@every
def test_weights_are_rounded_to_what_is_stored_and_computed_with_wide(precision):
    numbers = np.random.default_rng(0).standard_normal((3, 7))
    weights = precision.weights(numbers)
    assert weights.dtype == precision.real
    assert np.array_equal(weights, numbers.astype(numpy_dtype(precision.stored)))
    assert np.array_equal(precision.weights(weights), weights)


@every
@pytest.mark.parametrize("dtype", [np.float16, bfloat16, np.float32, np.float64])
def test_bits_take_any_float_and_numbers_are_the_inverse(precision, dtype):
    numbers = np.array([[0.0, -0.0, 1.5], [-2.0, 2.0**-14, 240.0]], dtype)
    bits = precision.bits(numbers)
    assert bits.dtype == precision.stored_dtype
    back = precision.numbers(bits)
    assert back.dtype == numpy_dtype(precision.stored)
    assert np.array_equal(back.astype(np.float64), numbers.astype(np.float64))
    assert np.signbit(back[0, 1])
    assert np.shares_memory(back, bits)


@pytest.mark.parametrize("precision", [FLOAT16, BFLOAT16], ids=lambda each: each.name)
def test_the_bits_of_16_bit_numbers_are_their_own(precision):
    numbers = np.arange(2**16, dtype=np.uint16).view(numpy_dtype(precision.stored))
    assert np.shares_memory(precision.bits(numbers), numbers)
    assert np.array_equal(precision.bits(numbers).view(np.uint16), np.arange(2**16))


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        (FLOAT32, "void(float32[:, ::1], float32[::1], float32, int64)"),
        (FLOAT64, "void(float64[:, ::1], float64[::1], float64, int64)"),
        (FLOAT16, "void(float32[:, ::1], int16[::1], float32, int64)"),
        (BFLOAT16_STORED, "void(float32[:, ::1], uint16[::1], float32, int64)"),
    ],
)
def test_signature(precision, expected):
    assert precision.signature("void(real[:, ::1], stored[::1], real, int64)") == expected


def test_a_signature_that_names_types_is_the_same_in_all():
    signature = "void(surreal, stored_, int64)"
    assert {precision.signature(signature) for precision in ALL} == {signature}
