"""`f32x16` and `f64x16`: sixteen float32 or float64 lanes as one value in Numba code.

Numba has no vector type. This module adds two, backed by LLVM's ``<16 x float>`` and
``<16 x double>``, so that a kernel reads like the NumPy it replaces::

    total = simd.fill(0.0)
    for d in range(0, D, 16):
        total = total + simd.load(x, row, d)

LLVM turns each operation on floats into one AVX-512 instruction, two of AVX, or four of SSE or
NEON, and twice as many for doubles: the lanes, their order and their rounding are the same on all
of them, and so are the bits. ``+ - * /`` round once each; a product and a sum are fused only where
`fma` says so. The two kinds do not mix in one operation.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

from npbert.simd.buffers import LANES

FLOAT = ir.FloatType()
DOUBLE = ir.DoubleType()
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
VECTOR_64 = ir.VectorType(DOUBLE, LANES)
VECTOR_INT = ir.VectorType(INT32, LANES)


class Vector(types.Type):
    """Numba's type of sixteen lanes of ``element``; ``llvm`` is LLVM's."""

    def __init__(self, element: Any, llvm: Any) -> None:
        super().__init__(f"f{element.bitwidth}x{LANES}")
        self.element = element
        self.llvm = llvm


f32x16 = Vector(types.float32, VECTOR)
f64x16 = Vector(types.float64, VECTOR_64)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, numba_type.llvm)


def checked(kind: Any) -> Any:
    """The type of an argument, which must be one of ours."""
    if not isinstance(kind, Vector):
        raise TypingError(f"{f32x16} or {f64x16} expected, not {kind}")
    return kind


@infer_global(operator.neg)
class _NegationTyping(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(args[0], *args) if isinstance(args[0], Vector) else None


@lower_builtin(operator.neg, Vector)
def _negation(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.fneg(args[0])


def _binary_operator(python_operator: Any, instruction: str) -> None:
    @infer_global(python_operator)
    class _Typing(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            a, b = args
            return signature(a, a, b) if isinstance(a, Vector) and a == b else None

    @lower_builtin(python_operator, Vector, Vector)
    def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


_binary_operator(operator.add, "fadd")
_binary_operator(operator.sub, "fsub")
_binary_operator(operator.mul, "fmul")
_binary_operator(operator.truediv, "fdiv")


# -- making vectors, and looking into them ---------------------------------------------------------


def splat(builder: Any, scalar: Any) -> Any:
    """LLVM: the scalar in every lane."""
    undefined = ir.Constant(ir.VectorType(scalar.type, LANES), ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(VECTOR_INT, [0] * LANES))


def constant(value: float, kind: Any = VECTOR) -> Any:
    """LLVM: a constant of a type, in every lane where it is a vector's."""
    vector = isinstance(kind, ir.VectorType)
    return ir.Constant(kind, [value] * kind.count if vector else value)


def integers(kind: Any) -> Any:
    """LLVM: the integers as wide as a type of floats, scalar or vector."""
    if isinstance(kind, ir.VectorType):
        return ir.VectorType(integers(kind.element), kind.count)
    return {FLOAT: INT32, DOUBLE: INT64}[kind]


@intrinsic
def fill(typing: Any, scalar: Any) -> Any:
    """A number, rounded to float32, in all sixteen lanes."""
    return _fill(f32x16, scalar)


@intrinsic
def fill_64(typing: Any, scalar: Any) -> Any:
    """A number, as a float64, in all sixteen lanes."""
    return _fill(f64x16, scalar)


def _fill(kind: Vector, scalar: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return splat(builder, context.cast(builder, args[0], sig.args[0], kind.element))

    return kind(scalar), codegen


@intrinsic
def lane(typing: Any, value: Any) -> Any:
    """The first lane, as a scalar."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.extract_element(args[0], ir.Constant(INT32, 0))

    return checked(value).element(value), codegen


@intrinsic
def first_lanes(typing: Any, value: Any, count: Any, other: Any) -> Any:
    """``value`` in the lanes before ``count``, ``other`` in the rest: the tail of a row."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        limit = splat(builder, builder.trunc(args[1], INT32))
        kept = builder.icmp_signed("<", ir.Constant(VECTOR_INT, list(range(LANES))), limit)
        return builder.select(kept, args[0], args[2])

    return checked(value)(value, types.intp, value), codegen


# -- arithmetic ------------------------------------------------------------------------------------


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return fused_multiply_add(builder, *args)

    return checked(a)(a, a, a), codegen


def fused_multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """LLVM: one fma per lane, of whatever vector type ``a`` has."""
    return _lanewise(builder, "fma", [a, b, c])


def _lanewise(builder: Any, name: str, args: Any) -> Any:
    """LLVM: one of its functions of floats, on every lane."""
    kind = args[0].type
    name = f"llvm.{name}.v{kind.count}{kind.element.intrinsic_name}"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * len(args)), name
    )
    return builder.call(function, args)


@intrinsic
def sqrt(typing: Any, value: Any) -> Any:
    """The square root of each lane, rounded once."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _lanewise(builder, "sqrt", args)

    return checked(value)(value), codegen


@intrinsic
def absolute(typing: Any, value: Any) -> Any:
    """Each lane without its sign."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _lanewise(builder, "fabs", args)

    return checked(value)(value), codegen


@intrinsic
def copy_sign(typing: Any, value: Any, sign: Any) -> Any:
    """The lanes of ``value`` with the signs of ``sign``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _lanewise(builder, "copysign", args)

    return checked(value)(value, value), codegen


def _larger(builder: Any, a: Any, b: Any) -> Any:
    # `b` where it is larger or NaN, else `a`: a NaN in either goes through.
    takes_b = builder.or_(builder.fcmp_ordered("<", a, b), builder.fcmp_unordered("uno", b, b))
    return builder.select(takes_b, b, a)


@intrinsic
def maximum(typing: Any, a: Any, b: Any) -> Any:
    """The larger of each pair of lanes, ``a`` where they are equal; a NaN goes through."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _larger(builder, *args)

    return checked(a)(a, a), codegen


@intrinsic
def minimum(typing: Any, a: Any, b: Any) -> Any:
    """``a if not a > b else b``: a NaN in ``a`` stays, one in ``b`` is passed over."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), args[1], args[0])

    return checked(a)(a, a), codegen


@intrinsic
def where_less(typing: Any, a: Any, b: Any, then: Any, otherwise: Any) -> Any:
    """``then`` in the lanes where ``a < b``, ``otherwise`` in the rest (NaN among them)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *args[:2]), *args[2:])

    return checked(a)(a, a, a, a), codegen


def _reduce(builder: Any, value: Any, combine: Any) -> Any:
    """The fixed tree: lanes 8 apart, then 4, 2 and 1. Every lane ends with the same value."""
    for distance in (8, 4, 2, 1):
        order = ir.Constant(VECTOR_INT, [(i + distance) % LANES for i in range(LANES)])
        undefined = ir.Constant(value.type, ir.Undefined)
        value = combine(value, builder.shuffle_vector(value, undefined, order))
    return value


@intrinsic
def add_lanes(typing: Any, value: Any) -> Any:
    """The sum of the lanes, in the fixed order of the numerics contract, in every lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _reduce(builder, args[0], builder.fadd)

    return checked(value)(value), codegen


@intrinsic
def max_lanes(typing: Any, value: Any) -> Any:
    """The largest lane, or NaN where there is one, in every lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _reduce(builder, args[0], lambda a, b: _larger(builder, a, b))

    return checked(value)(value), codegen


@intrinsic
def power_of_two(typing: Any, shifted: Any) -> Any:
    """``2.0 ** n`` for a float whose lowest bits hold ``n + 127``: they become the exponent.

    A double's hold ``n + 1023``.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        (value,), whole = args, integers(args[0].type)
        fraction = 52 if value.type.element == DOUBLE else 23  # bits below the exponent
        bits = builder.shl(builder.bitcast(value, whole), constant(fraction, whole))
        return builder.bitcast(bits, value.type)

    return checked(shifted)(shifted), codegen
