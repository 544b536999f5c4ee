"""`f32x16`: sixteen float32 lanes as one value in Numba code.

Numba has no vector type. This module adds one, backed by LLVM's ``<16 x float>``, so that a kernel
reads like the NumPy it replaces::

    total = simd.fill(0.0)
    for d in range(0, D, 16):
        total = total + simd.load(x, row, d)

LLVM turns each operation into one AVX-512 instruction, two of AVX, or four of SSE or NEON: the
lanes, their order and their rounding are the same on all of them, and so are the bits. ``+ - * /``
round once each; a product and a sum are fused only where `fma` says so.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

from npbert.simd.buffers import LANES

FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)
VECTOR_INT = ir.VectorType(INT32, LANES)
_ANY = ir.Constant(VECTOR, ir.Undefined)


class _F32x16(types.Type):
    def __init__(self) -> None:
        super().__init__("f32x16")


f32x16 = _F32x16()


@register_model(_F32x16)
class _F32x16Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, VECTOR)


@infer_global(operator.neg)
class _NegationTyping(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(f32x16, *args) if args == (f32x16,) else None


@lower_builtin(operator.neg, f32x16)
def _negation(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.fneg(args[0])


def _binary_operator(python_operator: Any, instruction: str) -> None:
    @infer_global(python_operator)
    class _Typing(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(f32x16, *args) if args == (f32x16, f32x16) else None

    @lower_builtin(python_operator, f32x16, f32x16)
    def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


_binary_operator(operator.add, "fadd")
_binary_operator(operator.sub, "fsub")
_binary_operator(operator.mul, "fmul")
_binary_operator(operator.truediv, "fdiv")


# -- memory ----------------------------------------------------------------------------------------


def address(context: Any, builder: Any, array_type: Any, array: Any, row: Any, column: Any) -> Any:
    """A pointer to ``array[row, column]``; in a bounds-checked run, all 16 lanes must be inside."""
    view = context.make_array(array_type)(context, builder, array)
    rows, columns = cgutils.unpack_tuple(builder, view.shape)
    if config.BOUNDSCHECK:
        last = builder.add(column, ir.Constant(INT64, LANES - 1))
        cgutils.do_boundscheck(context, builder, row, rows, 0)
        cgutils.do_boundscheck(context, builder, column, columns, 1)
        cgutils.do_boundscheck(context, builder, last, columns, 1)
    return builder.gep(view.data, [builder.add(builder.mul(row, columns), column)])


@intrinsic
def load(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """``array[row, column : column + 16]`` of a C-contiguous float32 matrix."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = address(context, builder, sig.args[0], *args)
        return builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4)

    return f32x16(array, types.intp, types.intp), codegen


@intrinsic
def store(typing: Any, value: Any, array: Any, row: Any, column: Any) -> Any:
    """``array[row, column : column + 16] = value``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = address(context, builder, sig.args[1], *args[1:])
        builder.store(args[0], builder.bitcast(pointer, VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(f32x16, array, types.intp, types.intp), codegen


# -- making vectors, and looking into them ---------------------------------------------------------


def splat(builder: Any, scalar: Any, vector_type: Any = VECTOR) -> Any:
    """LLVM: the scalar in every lane."""
    undefined = ir.Constant(vector_type, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(VECTOR_INT, [0] * LANES))


def constant(value: float | int) -> Any:
    """LLVM: an integer or float constant in every lane."""
    return ir.Constant(VECTOR_INT if isinstance(value, int) else VECTOR, [value] * LANES)


@intrinsic
def fill(typing: Any, scalar: Any) -> Any:
    """A number, rounded to float32, in all sixteen lanes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return splat(builder, context.cast(builder, args[0], sig.args[0], types.float32))

    return f32x16(scalar), codegen


@intrinsic
def lane(typing: Any, value: Any) -> Any:
    """The first lane, as a float32."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.extract_element(args[0], ir.Constant(INT32, 0))

    return types.float32(f32x16), codegen


@intrinsic
def first_lanes(typing: Any, value: Any, count: Any, other: Any) -> Any:
    """``value`` in the lanes before ``count``, ``other`` in the rest: the tail of a row."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        limit = splat(builder, builder.trunc(args[1], INT32), VECTOR_INT)
        kept = builder.icmp_signed("<", ir.Constant(VECTOR_INT, list(range(LANES))), limit)
        return builder.select(kept, args[0], args[2])

    return f32x16(f32x16, types.intp, f32x16), codegen


# -- arithmetic ------------------------------------------------------------------------------------


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return fused_multiply_add(builder, *args)

    return f32x16(f32x16, f32x16, f32x16), codegen


def fused_multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """LLVM: one fma per lane, of whatever vector type ``a`` has."""
    name = f"llvm.fma.v{a.type.count}f32"
    kind = ir.FunctionType(a.type, [a.type] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


def _lanewise(builder: Any, name: str, args: Any) -> Any:
    """LLVM: one of its functions of floats, on every lane."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * len(args))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32")
    return builder.call(function, args)


@intrinsic
def sqrt(typing: Any, value: Any) -> Any:
    """The square root of each lane, rounded once."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _lanewise(builder, "sqrt", args)

    return f32x16(f32x16), codegen


@intrinsic
def absolute(typing: Any, value: Any) -> Any:
    """Each lane without its sign."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _lanewise(builder, "fabs", args)

    return f32x16(f32x16), codegen


@intrinsic
def copy_sign(typing: Any, value: Any, sign: Any) -> Any:
    """The lanes of ``value`` with the signs of ``sign``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _lanewise(builder, "copysign", args)

    return f32x16(f32x16, f32x16), codegen


def _larger(builder: Any, a: Any, b: Any) -> Any:
    # `b` where it is larger or NaN, else `a`: a NaN in either goes through.
    takes_b = builder.or_(builder.fcmp_ordered("<", a, b), builder.fcmp_unordered("uno", b, b))
    return builder.select(takes_b, b, a)


@intrinsic
def maximum(typing: Any, a: Any, b: Any) -> Any:
    """The larger of each pair of lanes, ``a`` where they are equal; a NaN goes through."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _larger(builder, *args)

    return f32x16(f32x16, f32x16), codegen


@intrinsic
def minimum(typing: Any, a: Any, b: Any) -> Any:
    """``a if not a > b else b``: a NaN in ``a`` stays, one in ``b`` is passed over."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), args[1], args[0])

    return f32x16(f32x16, f32x16), codegen


@intrinsic
def where_less(typing: Any, a: Any, b: Any, then: Any, otherwise: Any) -> Any:
    """``then`` in the lanes where ``a < b``, ``otherwise`` in the rest (NaN among them)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *args[:2]), *args[2:])

    return f32x16(f32x16, f32x16, f32x16, f32x16), codegen


def _reduce(builder: Any, value: Any, combine: Any) -> Any:
    """The fixed tree: lanes 8 apart, then 4, 2 and 1. Every lane ends with the same value."""
    for distance in (8, 4, 2, 1):
        order = ir.Constant(VECTOR_INT, [(i + distance) % LANES for i in range(LANES)])
        value = combine(value, builder.shuffle_vector(value, _ANY, order))
    return value


@intrinsic
def add_lanes(typing: Any, value: Any) -> Any:
    """The sum of the lanes, in the fixed order of the numerics contract, in every lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _reduce(builder, args[0], builder.fadd)

    return f32x16(f32x16), codegen


@intrinsic
def max_lanes(typing: Any, value: Any) -> Any:
    """The largest lane, or NaN where there is one, in every lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _reduce(builder, args[0], lambda a, b: _larger(builder, a, b))

    return f32x16(f32x16), codegen


@intrinsic
def power_of_two(typing: Any, shifted: Any) -> Any:
    """``2.0 ** n`` for a float whose lowest bits hold ``n + 127``: they become the exponent."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.shl(builder.bitcast(args[0], VECTOR_INT), constant(23))
        return builder.bitcast(bits, VECTOR)

    return f32x16(f32x16), codegen
