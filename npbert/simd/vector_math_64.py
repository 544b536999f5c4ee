"""exp, tanh, sigmoid and both GELUs of sixteen float64 lanes: `npbert.simd.vector_math`, wider.

The same operations, which round alike everywhere, and the same rules: the same bits on every
machine, a NaN goes through, and both GELUs keep their relative accuracy through the whole left
tail. Constants are exact: 0.044715 is the decimal number, not the float64 next to it.

All rest on one piece: ``e^x = 2^n e^r`` with n whole and r at most ln(2) / 2. Adding 1.5 * 2^52 to
a number of this size leaves no room for fractions: the sum is rounded to a whole number, n, in its
lowest bits, from where `power_of_two` moves it into an exponent. The added 1023 is that of the
exponent's encoding; the 64 keeps exponents of tiny results in range until a last multiplication by
2^-64, which lets them fade into the subnormal numbers.

Largest errors found, among some tens of millions of inputs from everywhere in float64
(``python tests/vector_math_sweep_64.py``, its result and the worst arguments in
``golden/vector_math.json``): exp 0.9 ULP, tanh 1.4, sigmoid 2.4, gelu_approximate 3.1, gelu 5.1;
subnormal results are off by one of the smallest subnormal numbers at most, those of the GELUs by
two. The coefficients were fitted in higher precision to the least maximum relative error and
rounded to float64, those of gelu by a local search.
"""

from __future__ import annotations

from typing import Any

from numba.extending import intrinsic

from npbert.simd.kernel import inline
from npbert.simd.vector import (
    absolute,
    copy_sign,
    fill_64,
    fma,
    fused_multiply_add,
    maximum,
    minimum,
    power_of_two,
    splat,
    where_less,
)


def _coefficients(text: str) -> tuple[float, ...]:
    """Of a polynomial, the highest power's first."""
    return tuple(map(float.fromhex, text.split()))


@intrinsic
def _polynomial(typing: Any, x: Any, coefficients: Any) -> Any:
    """By Horner's rule, all of it written out: Numba would look for each coefficient in a loop."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value, numbers = args
        every = range(sig.args[1].count)
        total, *rest = (splat(builder, builder.extract_value(numbers, i)) for i in every)
        for number in rest:
            total = fused_multiply_add(builder, total, value, number)
        return total

    return x(x, coefficients), codegen


_ROUND = 1.5 * 2.0**52 + 1023 + 64
_DOWN_64 = 2.0**-64
_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
_LN_2 = _coefficients("0x1.62e42fefa39efp-1 0x1.abc9e3b39803fp-56")  # leading part, rest
_EXP = _coefficients(
    "0x1.20d14ced11f8dp-29 0x1.af7a2a389ec74p-26 0x1.27e40c09d2627p-22 0x1.71dde7b983827p-19"
    " 0x1.a01a01fc73dfdp-16 0x1.a01a01b6f1803p-13 0x1.6c16c16c07ee6p-10 0x1.111111110e33ep-7"
    " 0x1.555555555556fp-5 0x1.555555555555dp-3 0x1p-1 0x1p+0 0x1p+0"
)


@inline
def _exp_up_64(x, rest):  # type: ignore[no-untyped-def]
    """2^64 e^(x + rest) for x from -750 to 600; ``rest`` is what x lost in rounding."""
    shifted = fma(x, fill_64(_LOG2_E), fill_64(_ROUND))
    n = shifted - fill_64(_ROUND)
    r = fma(n, fill_64(-_LN_2[0]), x)  # exact: x is close to it
    r = r + fma(n, fill_64(-_LN_2[1]), rest)
    return _polynomial(r, _EXP) * power_of_two(shifted)


@inline
def exp_nonpositive(x):  # type: ignore[no-untyped-def]
    """e^x for x <= 0: what softmax needs. Subnormal results are rounded once more, by 2^-64."""
    x = maximum(x, fill_64(-746.0))  # e^-746 is 0
    return _exp_up_64(x, fill_64(0.0)) * fill_64(_DOWN_64)


_SMALL = 0.625
_TANH_ABOVE = _coefficients("-0x1.a18509d25ccf1p-13 -0x1.4fd1c03888075p-6 -0x1.5555555555554p-2")
_TANH_BELOW = _coefficients(
    "0x1.b0eeb3ca07de7p-13 0x1.7d8fab2c6e0e9p-6 0x1.d890eda4330a0p-2 0x1p+0"
)


@inline
def tanh(x):  # type: ignore[no-untyped-def]
    """``1 - 2 / (e^2b + 1)`` with b = \\|x\\|; where that would cancel, b plus a ratio of b's."""
    b = minimum(absolute(x), fill_64(20.0))  # tanh(20) is 1
    power = _exp_up_64(b + b, fill_64(0.0))
    s = b * b
    small = fill_64(_SMALL)
    start = where_less(b, small, b, fill_64(1.0))
    above = where_less(b, small, b * s * _polynomial(s, _TANH_ABOVE), fill_64(-2.0))
    large = fma(power, fill_64(_DOWN_64), fill_64(1.0))
    below = where_less(b, small, _polynomial(s, _TANH_BELOW), large)
    return copy_sign(start + above / below, x)


@inline
def sigmoid(x):  # type: ignore[no-untyped-def]
    """``1 / (1 + e^-x)``, or ``e^x / (e^x + 1)`` for x < 0: e is at most 1 in both."""
    e = exp_nonpositive(-absolute(x))
    return where_less(x, fill_64(0.0), e, fill_64(1.0)) / (fill_64(1.0) + e)


# 2 sqrt(2 / pi), and that times 0.044715; leading parts and rests
_LINEAR = _coefficients("0x1.9884533d436p+0 0x1.42343f2cf1403p-46")  # ends early: see t_rest
_CUBIC = _coefficients("0x1.2444f2a4d8b4bp-4 -0x1.6c843a29d1c70p-61")


@inline
def gelu_approximate(x):  # type: ignore[no-untyped-def]
    """``x / 2 * (1 + tanh(u)) = max(x, 0) - |x| e / (1 + e)`` with ``e = e^(-2 |u|)``.

    The exponent is ``a t``, carried with its rounding errors (``s_rest``, ``t_rest``).
    """
    a = maximum(-absolute(x), fill_64(-21.5625))  # from here on the result is 0
    s = a * a
    s_rest = fma(a, a, -s)
    t = fma(fill_64(_CUBIC[0]), s, fill_64(_LINEAR[0]))
    t_rest = fma(fill_64(_CUBIC[0]), s, fill_64(_LINEAR[0]) - t)  # the difference is exact
    t_rest = t_rest + fma(fill_64(_CUBIC[1]), s, fill_64(_LINEAR[1]))
    t_rest = fma(fill_64(_CUBIC[0]), s_rest, t_rest)
    y = a * t
    e = _exp_up_64(y, fma(a, t_rest, fma(a, t, -y)))
    below = (a * e) / fma(e, fill_64(_DOWN_64), fill_64(1.0))
    return fma(below, fill_64(_DOWN_64), maximum(x, fill_64(-0.0)))


_CENTRE = 5.0  # of the variable t in `_tail`
_TAIL = _coefficients(
    "-0x1.44d1ae05c7627p-32 0x1.8ef16a2877216p-30 0x1.10a376ac14a9ep-27 -0x1.1ee469ad1b810p-27"
    " -0x1.1b953c8311375p-24 0x1.5fba032912699p-25 0x1.d0d7ae7ad4b2dp-22 -0x1.6853caf5a284cp-22"
    " -0x1.73a5795f028cbp-19 0x1.0b1eca8537030p-18 0x1.17dc957cf1344p-16 -0x1.a1707f48f1783p-15"
    " -0x1.f2144c7347e5bp-15 0x1.1daf1c3f82629p-11 -0x1.a250381711f28p-11 -0x1.88590ea2c24e0p-9"
    " 0x1.54b4d4f4f5908p-6 -0x1.1b1c254c9eb0bp-4 0x1.51f6329f01236p-3 -0x1.410ed5f8759e3p-2"
    " 0x1.fb31653876f9dp-2 -0x1.54ad03f27ca18p-1 0x1.89d3abe1f95aep-1"
)
_DENSITY = float.fromhex("0x1.9884533d43651p-2")  # 1 / sqrt(2 pi)


@inline
def _tail(a):  # type: ignore[no-untyped-def]
    """``P(-a) e^(a^2 / 2)`` for a from 0 to 38.65, with P the normal distribution.

    It is a polynomial in ``t = (a - 5) / (a + 5)``, divided by a + 5 (Schonfelder 1978, who does so
    for erfc). The quotient 1 / (a + 5) is off by two roundings, which matter up to four times as
    much in the result; so what they did to a is taken back, times the derivative,
    ``a P(-a) e^(a^2 / 2) - 1 / sqrt(2 pi)``.
    """
    total = a + fill_64(_CENTRE)
    w = fill_64(1.0) / total
    off = fma(-w, a, fma(-w, fill_64(_CENTRE), fill_64(1.0)))  # 1 - w (a + 5)
    value = w * _polynomial(fma(fill_64(-2 * _CENTRE), w, fill_64(1.0)), _TAIL)
    return fma(off * total, fma(-a, value, fill_64(_DENSITY)), value)


@inline
def gelu(x):  # type: ignore[no-untyped-def]
    """``x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - a P(-a)`` with a = \\|x\\|."""
    a = minimum(absolute(x), fill_64(38.625))  # from here on the result is 0
    s = a * a
    s_rest = fma(a, a, -s)
    e = _exp_up_64(fill_64(-0.5) * s, fill_64(-0.5) * s_rest)
    below = (a * e) * _tail(a)  # 2^64 a P(-a)
    return fma(below, fill_64(-_DOWN_64), maximum(x, fill_64(-0.0)))
