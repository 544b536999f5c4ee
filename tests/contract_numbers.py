"""The contract's roundings, in Python floats: numbers of every precision are some of these.

``+ - * /`` and ``sqrt`` of float32 numbers in float64, rounded to float32, are what float32 itself
gives (Figueroa 1995: 53 >= 2 * 24 + 2 digits).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

Fma = Callable[[float, float, float], float]


def f32(x: float) -> float:
    return ctypes.c_float(x).value


def f64(x: float) -> float:
    return x


def float16(x: float) -> float:
    """A float32 number to the nearest float16, ties to even."""
    try:
        return float(struct.unpack("<e", struct.pack("<e", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def bfloat16(x: float) -> float:
    """A float32 number to the nearest bfloat16, ties to even: the upper half of its bits."""
    if math.isnan(x):
        return x
    (bits,) = struct.unpack("<I", struct.pack("<f", x))
    bits += 0x7FFF + (bits >> 16 & 1)
    return float(struct.unpack("<f", struct.pack("<I", bits & 0xFFFF0000))[0])


def fma_by_hand(a: float, b: float, c: float) -> float:
    """``a * b + c``, rounded once: to odd in float64 (Boldo & Melquiond 2008), then to float32."""
    product = a * b  # exact
    total = product + c
    back = total - product
    rest = (product - (total - back)) + (c - back)  # exactly what `total` lacks
    if rest and math.isfinite(total) and int(math.ldexp(math.frexp(total)[0], 53)) % 2 == 0:
        total = math.nextafter(total, math.copysign(math.inf, rest))
    return f32(total)


def fma_64_by_hand(a: float, b: float, c: float) -> float:
    """The same, rounded once to float64; of finite numbers."""
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    return float(exact) if exact else a * b + c  # which knows the sign of a zero


def _fma_of_c(name: str, kind: Any, otherwise: Fma) -> Fma:
    try:
        function = getattr(ctypes.CDLL(ctypes.util.find_library("m")), name)
    except (OSError, AttributeError, TypeError):  # no C library to be found under that name
        return otherwise
    function.argtypes, function.restype = [kind] * 3, kind
    return function


fma = _fma_of_c("fmaf", ctypes.c_float, fma_by_hand)
fma_64 = _fma_of_c("fma", ctypes.c_double, fma_64_by_hand)
