from __future__ import annotations

import numpy as np
import pytest
from ml_dtypes import bfloat16
from simd.exact import assert_same_bits

from npbert import simd
from npbert.simd import rounding
from npbert.simd.kernel import kernel

pytestmark = pytest.mark.kernel

ROUNDED = {"float16": np.float16, "bfloat16": bfloat16}
both = pytest.mark.parametrize("kind", ROUNDED)


@kernel("void(float32[:, ::1], float32[:, ::1])")
def to_float16(x, out):
    for row in range(x.shape[0]):
        simd.store(rounding.rounded_float16(simd.load(x, row, 0)), out, row, 0)


@kernel("void(float32[:, ::1], float32[:, ::1])")
def to_bfloat16(x, out):
    for row in range(x.shape[0]):
        simd.store(rounding.rounded_bfloat16(simd.load(x, row, 0)), out, row, 0)


@kernel("void(float32[:, ::1], float32[:, ::1])")
def scalar_to_float16(x, out):
    for row in range(x.shape[0]):
        for column in range(x.shape[1]):
            out[row, column] = rounding.rounded_float16(x[row, column])


@kernel("void(float32[:, ::1], float32[:, ::1])")
def scalar_to_bfloat16(x, out):
    for row in range(x.shape[0]):
        for column in range(x.shape[1]):
            out[row, column] = rounding.rounded_bfloat16(x[row, column])


KERNELS = {
    "float16": (to_float16, scalar_to_float16),
    "bfloat16": (to_bfloat16, scalar_to_bfloat16),
}


def assert_rounded(kind, x):
    """Lanes and scalars are rounded as a cast does it."""
    x = np.ascontiguousarray(np.resize(x, (-(-x.size // 16), 16)))
    with np.errstate(all="ignore"):
        expected = x.astype(ROUNDED[kind]).astype(np.float32)
    for rounded in KERNELS[kind]:
        out = np.empty_like(x)
        rounded(x, out)
        assert_same_bits(out, expected, rounded.name)


def numbers_of(kind):
    """All there are, from 0 on, then infinity: all finite and NaN in float32."""
    numbers = np.arange(2**15, dtype=np.uint16).view(ROUNDED[kind]).astype(np.float32)
    return numbers[~np.isnan(numbers)]


@both
def test_16_bit_numbers_stay_what_they_are(kind):
    x = numbers_of(kind)
    assert_rounded(kind, x)
    assert_rounded(kind, -x)
    out = np.empty((1, 16), np.float32)
    for rounded in KERNELS[kind]:
        for row in (*np.resize(x, (x.size // 16 + 1, 16)), np.full(16, -0.0, np.float32)):
            rounded(row[None], out)
            assert_same_bits(out[0], row)


@both
def test_midpoints_and_their_neighbours(kind):
    """Ties go to even, and nothing else does: from zero to beyond the largest number."""
    x = numbers_of(kind)
    end = {"float16": 2.0**16, "bfloat16": 2.0**128}[kind]
    steps = np.append(x[:-1].astype(np.float64), end)
    middles = ((steps[1:] + steps[:-1]) / 2).astype(np.float32)
    for signed in middles, -middles:
        assert_rounded(kind, signed)
        for direction in np.float32(-np.inf), np.float32(np.inf):
            assert_rounded(kind, np.nextafter(signed, direction))


@both
def test_the_numbers_around_each_power_of_two_and_those_that_are_none(kind):
    exponents = np.arange(256, dtype=np.uint32) << 23
    near = exponents[:, None] + np.arange(-3, 4).astype(np.uint32)
    signs = np.array([0, 2**31], np.uint32)
    special = [0.0, 65503.9, 65504.0, 65519.99, 65520.0, 65536.0, 3.3895e38, np.inf, np.nan]
    assert_rounded(kind, (near[..., None] + signs).view(np.float32).ravel())
    assert_rounded(kind, np.float32(special + [-x for x in special]))
    quiet_and_signaling = np.array([0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0xFF801000], np.uint32)
    assert_rounded(kind, quiet_and_signaling.view(np.float32))


@both
def test_random_numbers(kind):
    """Of all sizes; and more of those where float16 is subnormal, normal and too large."""
    random = np.random.default_rng(5)
    anything = random.integers(0, 2**32, 2**21, np.uint32)
    exponents = random.integers(127 - 27, 127 + 18, 2**21, np.uint32) << 23
    assert_rounded(kind, anything.view(np.float32))
    assert_rounded(kind, (anything & 0x807FFFFF | exponents).view(np.float32))


def of_doubles(x, out):
    simd.store(rounding.rounded_float16(simd.load(x, 0, 0)), out, 0, 0)


def test_doubles_are_not_rounded():
    from numba.core.errors import TypingError

    made = kernel("void(float64[:, ::1], float64[:, ::1])")(of_doubles)
    with pytest.raises(TypingError, match="f32x16 or float32 expected, not f64x16"):
        made.prepare()
