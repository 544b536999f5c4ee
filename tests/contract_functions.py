"""exp, tanh, sigmoid and both GELUs of the contract, in float32."""

from __future__ import annotations

import math

import contract_numbers
from contract_numbers import f32

H = float.fromhex


def fma(a: float, b: float, c: float) -> float:
    return contract_numbers.fma(a, b, c)


def polynomial(x: float, *coefficients: float) -> float:
    value = coefficients[0]
    for c in coefficients[1:]:
        value = fma(value, x, c)
    return value


ROUND, ROUND_64, DOWN_64 = 1.5 * 2**23 + 127, 1.5 * 2**23 + 127 + 64, 2.0**-64
LOG2_E = H("0x1.715476p+0"), H("0x1.4ae0c0p-26")
LN_2 = H("0x1.62e4p-1"), H("0x1.7f7d1cp-20")


def exp(x: float) -> float:
    x = max(x, -104.0)
    shifted = fma(x, LOG2_E[0], ROUND_64)
    n = f32(shifted - ROUND_64)
    r = fma(n, -LN_2[1], fma(n, -LN_2[0], x))
    q = polynomial(
        r, H("0x1.6a5424p-10"), H("0x1.123b10p-7"), H("0x1.5558acp-5"), H("0x1.555490p-3"),
        H("0x1.fffffcp-2"), 1.0, 1.0,
    )  # fmt: skip
    return f32(f32(q * 2.0 ** (n + 64)) * DOWN_64)


def sigmoid(x: float) -> float:
    e = exp(-abs(x))
    return f32((e if x < 0 else 1.0) / f32(1.0 + e))


def exp2_slope(f: float) -> float:
    return polynomial(
        f, H("0x1.417e46p-13"), H("0x1.5f0abep-10"), H("0x1.3b2dd0p-7"), H("0x1.c6af78p-5"),
        H("0x1.ebfbdcp-3"), H("0x1.62e430p-1"),
    )  # fmt: skip


def tanh(x: float) -> float:
    b = min(abs(x), 9.5)
    s = f32(b * b)
    if b < 0.625:
        t = polynomial(
            s, H("-0x1.756d14p-8"), H("0x1.520a3ap-6"), H("-0x1.b83792p-5"), H("0x1.1106fep-3"),
            H("-0x1.555532p-2"),
        )  # fmt: skip
        return math.copysign(fma(f32(b * s), t, b), x)
    n = f32(fma(b, 2 * LOG2_E[0], ROUND) - ROUND)
    f = fma(b, 2 * LOG2_E[1], fma(b, 2 * LOG2_E[0], -n))
    power = fma(fma(exp2_slope(f), f, 1.0), 2.0**n, 1.0)
    return math.copysign(f32(1.0 - f32(2.0 / power)), x)


def gelu_approximate(x: float) -> float:
    linear = H("0x1.26aec0p+1"), H("0x1.0de73ap-22")
    cubic = H("0x1.a5a7d0p-4"), H("-0x1.151aaep-29")
    a = max(-abs(x), -10.875)
    s = f32(a * a)
    s_rest = fma(a, a, -s)
    t = fma(cubic[0], s, linear[0])
    n = f32(fma(a, t, ROUND_64) - ROUND_64)
    rest = fma(cubic[0], s_rest, fma(cubic[1], s, linear[1]))
    t_rest = fma(cubic[0], s, f32(linear[0] - t))
    f = fma(a, f32(t_rest + rest), fma(a, t, -n))
    e = f32(fma(exp2_slope(f), f, 1.0) * 2.0 ** (n + 64))
    below = f32(f32(a * e) / fma(e, DOWN_64, 1.0))
    return fma(below, DOWN_64, x if x >= 0 else -0.0)


def gelu(x: float) -> float:
    a = min(abs(x), 14.5)
    s = f32(a * a)
    half = -LOG2_E[0] / 2, -LOG2_E[1] / 2
    n = f32(fma(half[0], s, ROUND_64) - ROUND_64)
    f = fma(half[1], s, fma(half[0], s, -n))
    f = fma(half[0], fma(a, a, -s), f)
    high = fma(H("0x1.0bfffap-8"), a, H("0x1.4b81ccp-5"))
    low = fma(H("0x1.764dbep-3"), a, H("0x1.c0339cp-2"))
    numerator = fma(s, fma(high, s, low), f32(0.5 * a))
    high = fma(H("0x1.9f8260p-4"), a, H("0x1.df760ep-2"))
    high = fma(H("0x1.4fe252p-7"), s, high)
    low = fma(H("0x1.335b2ep+0"), a, H("0x1.ac5bfep+0"))
    ratio = f32(numerator / fma(a, fma(high, s, low), 1.0))
    tail = f32(fma(ratio, f32(exp2_slope(f) * f), ratio) * 2.0 ** (n + 64))
    return fma(tail, -DOWN_64, x if x >= 0 else -0.0)
