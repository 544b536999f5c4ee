"""exp, tanh, sigmoid and both GELUs of sixteen lanes, by polynomials of our own.

The C library's functions differ between systems and take one value at a time. These are made of
operations that round alike everywhere (+ - * / fma, comparisons, bits), and so have the same bits
on every machine. A NaN goes through all of them.

All share one idea: ``e^x = 2^n * 2^f`` with n whole and f at most 1/2. Adding 1.5 * 2^23 to a
number of this size leaves no room for fractions: the sum is rounded to a whole number, n, in its
lowest bits, from where `power_of_two` moves it into an exponent. The added 127 is that of the
exponent's encoding; the 64 keeps exponents of tiny results in range until a last multiplication by
2^-64, which lets them fade into the subnormal numbers.

Maximum errors, over all float32 inputs (``python tests/vector_math_sweep.py``, its result and the
worst arguments in ``golden/vector_math.json``): exp 0.9 ULP, tanh 1.5, sigmoid 2.5,
gelu_approximate 3.2, gelu 5.1; both GELUs keep that relative accuracy through the whole left tail,
where ``1 + tanh`` and ``1 + erf`` have no correct digit left. The coefficients were fitted in
higher precision to the least maximum relative error, rounded to float32, and improved by local
search.
"""

from __future__ import annotations

from npbert.simd.kernel import inline
from npbert.simd.vector import (
    absolute,
    copy_sign,
    fill,
    fma,
    maximum,
    minimum,
    power_of_two,
    where_less,
)

_hex = float.fromhex

_ROUND = _hex("0x1.8000fep+23")  # 1.5 * 2^23 + 127
_ROUND_64 = _hex("0x1.80017ep+23")  # 1.5 * 2^23 + 127 + 64
_DOWN_64 = _hex("0x1p-64")
_LOG2_E = _hex("0x1.715476p+0"), _hex("0x1.4ae0c0p-26")  # leading part, rest
_LN_2 = _hex("0x1.62e4p-1"), _hex("0x1.7f7d1cp-20")  # n * leading part is exact

_EXP = tuple(
    map(_hex, "0x1.6a5424p-10 0x1.123b10p-7 0x1.5558acp-5 0x1.555490p-3 0x1.fffffcp-2".split())
)
_EXP2 = tuple(
    map(
        _hex,
        "0x1.417e46p-13 0x1.5f0abep-10 0x1.3b2dd0p-7 0x1.c6af78p-5 0x1.ebfbdcp-3"
        " 0x1.62e430p-1".split(),
    )
)
_TANH = tuple(
    map(
        _hex,
        "-0x1.756d14p-8 0x1.520a3ap-6 -0x1.b83792p-5 0x1.1106fep-3 -0x1.555532p-2".split(),
    )
)


@inline
def exp_nonpositive(x):  # type: ignore[no-untyped-def]
    """e^x for x <= 0: what softmax needs. Subnormal results are rounded as IEEE 754 asks."""
    x = maximum(x, fill(-104.0))  # e^-104 is 0
    shifted = fma(x, fill(_LOG2_E[0]), fill(_ROUND_64))
    n = shifted - fill(_ROUND_64)
    r = fma(n, fill(-_LN_2[0]), x)
    r = fma(n, fill(-_LN_2[1]), r)  # x - n ln 2
    q = fill(_EXP[0])
    q = fma(q, r, fill(_EXP[1]))
    q = fma(q, r, fill(_EXP[2]))
    q = fma(q, r, fill(_EXP[3]))
    q = fma(q, r, fill(_EXP[4]))
    q = fma(q, r, fill(1.0))
    q = fma(q, r, fill(1.0))  # e^r
    return (q * power_of_two(shifted)) * fill(_DOWN_64)


@inline
def _exp2_slope(f):  # type: ignore[no-untyped-def]
    """``(2^f - 1) / f`` for \\|f\\| <= 1/2."""
    q = fill(_EXP2[0])
    q = fma(q, f, fill(_EXP2[1]))
    q = fma(q, f, fill(_EXP2[2]))
    q = fma(q, f, fill(_EXP2[3]))
    q = fma(q, f, fill(_EXP2[4]))
    return fma(q, f, fill(_EXP2[5]))


@inline
def tanh(x):  # type: ignore[no-untyped-def]
    """``1 - 2 / (e^2b + 1)`` with b = \\|x\\|, or a polynomial where that would cancel."""
    b = minimum(absolute(x), fill(9.5))  # tanh(9.5) is 1
    shifted = fma(b, fill(2 * _LOG2_E[0]), fill(_ROUND))
    n = shifted - fill(_ROUND)
    f = fma(b, fill(2 * _LOG2_E[0]), -n)
    f = fma(b, fill(2 * _LOG2_E[1]), f)
    power = fma(fma(_exp2_slope(f), f, fill(1.0)), power_of_two(shifted), fill(1.0))
    large = fill(1.0) - fill(2.0) / power
    s = b * b
    t = fill(_TANH[0])
    t = fma(t, s, fill(_TANH[1]))
    t = fma(t, s, fill(_TANH[2]))
    t = fma(t, s, fill(_TANH[3]))
    t = fma(t, s, fill(_TANH[4]))
    small = fma(b * s, t, b)
    return copy_sign(where_less(b, fill(0.625), small, large), x)


@inline
def sigmoid(x):  # type: ignore[no-untyped-def]
    """``1 / (1 + e^-x)``, or ``e^x / (e^x + 1)`` for x < 0: e is at most 1 in both."""
    e = exp_nonpositive(-absolute(x))
    total = fill(1.0) + e
    return where_less(x, fill(0.0), e, fill(1.0)) / total


# 2 sqrt(2 / pi) log2(e), and that times 0.044715; leading parts and rests
_LINEAR = _hex("0x1.26aec0p+1"), _hex("0x1.0de73ap-22")
_CUBIC = _hex("0x1.a5a7d0p-4"), _hex("-0x1.151aaep-29")


@inline
def gelu_approximate(x):  # type: ignore[no-untyped-def]
    """``x / 2 * (1 + tanh(u)) = max(x, 0) - |x| e / (1 + e)`` with ``e = e^(-2 |u|)``.

    The exponent is carried with its rounding errors (``s_rest``, ``rest``), which costs six
    operations and keeps the left tail exact to 2 ULP rather than 100.
    """
    a = maximum(-absolute(x), fill(-10.875))  # from here on the result is 0
    s = a * a
    s_rest = fma(a, a, -s)
    t = fma(fill(_CUBIC[0]), s, fill(_LINEAR[0]))
    shifted = fma(a, t, fill(_ROUND_64))
    n = shifted - fill(_ROUND_64)
    f = fma(a, t, -n)
    rest = fma(fill(_CUBIC[1]), s, fill(_LINEAR[1]))
    rest = fma(fill(_CUBIC[0]), s_rest, rest)
    t_rest = fma(fill(_CUBIC[0]), s, fill(_LINEAR[0]) - t)
    f = fma(a, t_rest + rest, f)
    e = fma(_exp2_slope(f), f, fill(1.0)) * power_of_two(shifted)  # 2^64 e
    below = (a * e) / fma(e, fill(_DOWN_64), fill(1.0))
    return fma(below, fill(_DOWN_64), maximum(x, fill(-0.0)))


_HALF_LOG2_E = -_LOG2_E[0] / 2, -_LOG2_E[1] / 2
_NUMERATOR = tuple(map(_hex, "0x1.c0339cp-2 0x1.764dbep-3 0x1.4b81ccp-5 0x1.0bfffap-8".split()))
_DENOMINATOR = tuple(
    map(_hex, "0x1.ac5bfep+0 0x1.335b2ep+0 0x1.df760ep-2 0x1.9f8260p-4 0x1.4fe252p-7".split())
)


@inline
def gelu(x):  # type: ignore[no-untyped-def]
    """``x / 2 * (1 + erf(x / sqrt(2))) = max(x, 0) - a P(-a)`` with a = \\|x\\|.

    P, the normal distribution's tail, is ``e^(-a^2 / 2)`` times a ratio of two polynomials.
    """
    a = minimum(absolute(x), fill(14.5))  # from here on the result is 0
    s = a * a
    s_rest = fma(a, a, -s)
    shifted = fma(fill(_HALF_LOG2_E[0]), s, fill(_ROUND_64))
    n = shifted - fill(_ROUND_64)
    f = fma(fill(_HALF_LOG2_E[0]), s, -n)
    f = fma(fill(_HALF_LOG2_E[1]), s, f)
    f = fma(fill(_HALF_LOG2_E[0]), s_rest, f)
    high = fma(fill(_NUMERATOR[3]), a, fill(_NUMERATOR[2]))
    low = fma(fill(_NUMERATOR[1]), a, fill(_NUMERATOR[0]))
    numerator = fma(s, fma(high, s, low), fill(0.5) * a)
    high = fma(fill(_DENOMINATOR[4]), s, fma(fill(_DENOMINATOR[3]), a, fill(_DENOMINATOR[2])))
    low = fma(fill(_DENOMINATOR[1]), a, fill(_DENOMINATOR[0]))
    denominator = fma(a, fma(high, s, low), fill(1.0))
    ratio = numerator / denominator
    tail = fma(ratio, _exp2_slope(f) * f, ratio) * power_of_two(shifted)  # 2^64 a P(-a)
    return fma(tail, fill(-_DOWN_64), maximum(x, fill(-0.0)))
