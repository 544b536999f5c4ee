"""exp, tanh, sigmoid and both GELUs of the contract, in float64."""

from __future__ import annotations

import math

from contract_numbers import fma_64 as fma


def numbers(text: str) -> list[float]:
    return [float.fromhex(each) for each in text.split()]


def polynomial(x: float, coefficients: list[float]) -> float:
    value = coefficients[0]
    for c in coefficients[1:]:
        value = fma(value, x, c)
    return value


ROUND, DOWN_64 = 1.5 * 2**52 + 1023 + 64, 2.0**-64
(LOG2_E,) = numbers("0x1.71547652b82fep+0")
LN_2 = numbers("0x1.62e42fefa39efp-1 0x1.abc9e3b39803fp-56")
EXP = numbers(
    "0x1.20d14ced11f8dp-29 0x1.af7a2a389ec74p-26 0x1.27e40c09d2627p-22 0x1.71dde7b983827p-19"
    " 0x1.a01a01fc73dfdp-16 0x1.a01a01b6f1803p-13 0x1.6c16c16c07ee6p-10 0x1.111111110e33ep-7"
    " 0x1.555555555556fp-5 0x1.555555555555dp-3 0x1p-1 0x1p+0 0x1p+0"
)


def exp_up_64(x: float, rest: float = 0.0) -> float:
    n = fma(x, LOG2_E, ROUND) - ROUND
    r = fma(n, -LN_2[0], x) + fma(n, -LN_2[1], rest)
    return polynomial(r, EXP) * 2.0 ** (n + 64)


def exp(x: float) -> float:
    return exp_up_64(max(x, -746.0)) * DOWN_64


def sigmoid(x: float) -> float:
    e = exp(-abs(x))
    return (e if x < 0 else 1.0) / (1.0 + e)


TANH_ABOVE = numbers("-0x1.a18509d25ccf1p-13 -0x1.4fd1c03888075p-6 -0x1.5555555555554p-2")
TANH_BELOW = numbers("0x1.b0eeb3ca07de7p-13 0x1.7d8fab2c6e0e9p-6 0x1.d890eda4330a0p-2 0x1p+0")


def tanh(x: float) -> float:
    b = min(abs(x), 20.0)
    s = b * b
    if b < 0.625:
        value = b + b * s * polynomial(s, TANH_ABOVE) / polynomial(s, TANH_BELOW)
    else:
        value = 1.0 + -2.0 / fma(exp_up_64(b + b), DOWN_64, 1.0)
    return math.copysign(value, x)


LINEAR = numbers("0x1.9884533d436p+0 0x1.42343f2cf1403p-46")
CUBIC = numbers("0x1.2444f2a4d8b4bp-4 -0x1.6c843a29d1c70p-61")


def gelu_approximate(x: float) -> float:
    a = max(-abs(x), -21.5625)
    s = a * a
    s_rest = fma(a, a, -s)
    t = fma(CUBIC[0], s, LINEAR[0])
    t_rest = fma(CUBIC[0], s, LINEAR[0] - t) + fma(CUBIC[1], s, LINEAR[1])
    t_rest = fma(CUBIC[0], s_rest, t_rest)
    y = a * t
    e = exp_up_64(y, fma(a, t_rest, fma(a, t, -y)))
    below = (a * e) / fma(e, DOWN_64, 1.0)
    return fma(below, DOWN_64, x if x >= 0 else -0.0)


TAIL = numbers(
    "-0x1.44d1ae05c7627p-32 0x1.8ef16a2877216p-30 0x1.10a376ac14a9ep-27 -0x1.1ee469ad1b810p-27"
    " -0x1.1b953c8311375p-24 0x1.5fba032912699p-25 0x1.d0d7ae7ad4b2dp-22 -0x1.6853caf5a284cp-22"
    " -0x1.73a5795f028cbp-19 0x1.0b1eca8537030p-18 0x1.17dc957cf1344p-16 -0x1.a1707f48f1783p-15"
    " -0x1.f2144c7347e5bp-15 0x1.1daf1c3f82629p-11 -0x1.a250381711f28p-11 -0x1.88590ea2c24e0p-9"
    " 0x1.54b4d4f4f5908p-6 -0x1.1b1c254c9eb0bp-4 0x1.51f6329f01236p-3 -0x1.410ed5f8759e3p-2"
    " 0x1.fb31653876f9dp-2 -0x1.54ad03f27ca18p-1 0x1.89d3abe1f95aep-1"
)
(DENSITY,) = numbers("0x1.9884533d43651p-2")


def tail(a: float) -> float:
    total = a + 5.0
    w = 1.0 / total
    off = fma(-w, a, fma(-w, 5.0, 1.0))
    value = w * polynomial(fma(-10.0, w, 1.0), TAIL)
    return fma(off * total, fma(-a, value, DENSITY), value)


def gelu(x: float) -> float:
    a = min(abs(x), 38.625)
    s = a * a
    s_rest = fma(a, a, -s)
    below = a * exp_up_64(-0.5 * s, -0.5 * s_rest) * tail(a)
    return fma(below, -DOWN_64, x if x >= 0 else -0.0)
