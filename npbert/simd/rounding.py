"""float32 values rounded to those of 16-bit floats: to the nearest, ties to even.

What a framework gets by casting to 16 bits and back. Each function takes sixteen lanes or a scalar
and returns the same; it is made of integer operations, comparisons and sums, and so has the same
bits on every machine. Too large a value becomes infinite, a NaN stays one, a zero keeps its sign.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from npbert.simd.kernel import inline
from npbert.simd.vector import constant, f32x16, integers


def _on_floats(value: Any, emit: Any) -> Any:
    """An intrinsic's answer for `f32x16` and for float32: what ``emit(builder, value)`` makes."""
    if value not in (f32x16, types.float32):
        raise TypingError(f"{f32x16} or float32 expected, not {value}")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, args[0])

    return value(value), codegen


@inline
def rounded(value):  # type: ignore[no-untyped-def]
    """For a precision that rounds nothing further: the value itself."""
    return value


@intrinsic
def rounded_bfloat16(typing: Any, value: Any) -> Any:
    """The nearest bfloat16: the upper half of the bits, after half a unit of them is added."""
    return _on_floats(value, _to_bfloat16)


def _to_bfloat16(builder: Any, value: Any) -> Any:
    whole = integers(value.type)
    bits = builder.bitcast(value, whole)
    odd = builder.and_(builder.lshr(bits, constant(16, whole)), constant(1, whole))
    nearest = builder.add(bits, builder.add(odd, constant(0x7FFF, whole)))
    quiet = builder.or_(bits, constant(0x400000, whole))  # a carry would make a NaN something else
    bits = builder.select(builder.fcmp_unordered("uno", value, value), quiet, nearest)
    return builder.bitcast(builder.and_(bits, constant(-0x10000, whole)), value.type)


@intrinsic
def rounded_float16(typing: Any, value: Any) -> Any:
    """The nearest float16.

    Adding ``2 ** (13 + e)`` to a number of exponent e leaves room for the ten bits that float16
    has; where it is subnormal, that of the smallest normal number, 2^-14, gives its fewer bits.
    """
    return _on_floats(value, _to_float16)


def _to_float16(builder: Any, value: Any) -> Any:
    kind, whole = value.type, integers(value.type)
    bits = builder.bitcast(value, whole)
    size = builder.bitcast(builder.and_(bits, constant(0x7FFFFFFF, whole)), kind)
    exponent, least = builder.and_(bits, constant(0x7F800000, whole)), constant(0x38800000, whole)
    exponent = builder.select(builder.icmp_signed(">", exponent, least), exponent, least)
    large = builder.bitcast(builder.add(exponent, constant(13 << 23, whole)), kind)
    nearest = builder.fsub(builder.fadd(size, large), large)
    # Half a unit past the largest, 65504; from far beyond it, `large` would not be right either.
    over = builder.fcmp_ordered(">=", size, constant(65520.0, kind))
    nearest = builder.select(over, constant(float("inf"), kind), nearest)
    sign = builder.and_(bits, constant(-0x80000000, whole))
    return builder.bitcast(builder.or_(builder.bitcast(nearest, whole), sign), kind)
