"""Between arrays and vectors: `load` and `store`.

An array of 16-bit integers holds 16-bit floats, which Numba does not know: ``uint16`` the bits of
bfloat16, ``int16`` those of float16. They become float32 lanes as they are loaded, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, config, types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from npbert.simd.buffers import LANES
from npbert.simd.vector import INT64, VECTOR, VECTOR_INT, checked, constant, f32x16, f64x16


def load_lanes(
    context: Any, builder: Any, array_type: Any, array: Any, row: Any, column: Any
) -> Any:
    """LLVM: ``array[row, column : column + 16]``, sixteen of whatever it holds."""
    element = context.get_value_type(array_type.dtype)
    pointer = _address(context, builder, array_type, array, row, column)
    place = builder.bitcast(pointer, ir.VectorType(element, LANES).as_pointer())
    return builder.load(place, align=array_type.dtype.bitwidth // 8)


def store_lanes(
    context: Any, builder: Any, value: Any, array_type: Any, array: Any, row: Any, column: Any
) -> None:
    """LLVM: ``array[row, column : column + 16] = value``."""
    pointer = _address(context, builder, array_type, array, row, column)
    place = builder.bitcast(pointer, value.type.as_pointer())
    builder.store(value, place, align=array_type.dtype.bitwidth // 8)


def _address(context: Any, builder: Any, array_type: Any, array: Any, row: Any, column: Any) -> Any:
    """A pointer to ``array[row, column]``; in a bounds-checked run, all 16 lanes must be inside."""
    view = context.make_array(array_type)(context, builder, array)
    rows, columns = cgutils.unpack_tuple(builder, view.shape)
    if config.BOUNDSCHECK:
        last = builder.add(column, ir.Constant(INT64, LANES - 1))
        cgutils.do_boundscheck(context, builder, row, rows, 0)
        cgutils.do_boundscheck(context, builder, column, columns, 1)
        cgutils.do_boundscheck(context, builder, last, columns, 1)
    return builder.gep(view.data, [builder.add(builder.mul(row, columns), column)])


def from_bfloat16(builder: Any, bits: Any) -> Any:
    """LLVM: bfloat16 is the upper half of float32."""
    bits = builder.shl(builder.zext(bits, VECTOR_INT), constant(16, VECTOR_INT))
    return builder.bitcast(bits, VECTOR)


def from_float16(builder: Any, bits: Any) -> Any:
    """LLVM: the sign, the exponent and the fraction in their places, and the exponent put right.

    float32's exponents count from -127, float16's from -15: a multiplication by 2^112 makes up for
    it, exactly, and subnormal numbers become normal ones. Infinities and NaN, which weights do not
    have, become finite numbers from 65536 on.
    """
    bits = builder.shl(builder.sext(bits, VECTOR_INT), constant(13, VECTOR_INT))
    bits = builder.and_(bits, constant(0x8FFFE000 - 2**32, VECTOR_INT))  # one sign of four is left
    return builder.fmul(builder.bitcast(bits, VECTOR), constant(2.0**112))


def _as_it_is(builder: Any, value: Any) -> Any:
    return value


_LANES_OF: dict[Any, tuple[Any, Callable[[Any, Any], Any]]] = {
    types.float32: (f32x16, _as_it_is),
    types.float64: (f64x16, _as_it_is),
    types.uint16: (f32x16, from_bfloat16),
    types.int16: (f32x16, from_float16),
}
"""An array's dtype -> what a load makes, and how."""


@intrinsic
def load(typing: Any, array: Any, row: Any, column: Any) -> Any:
    """``array[row, column : column + 16]`` of a C-contiguous matrix.

    Of float32, float64, or 16-bit floats as this module has them.
    """
    if array.dtype not in _LANES_OF:
        raise TypingError(f"no vector is loaded from {array}")
    kind, widen = _LANES_OF[array.dtype]

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return widen(builder, load_lanes(context, builder, sig.args[0], *args))

    return kind(array, types.intp, types.intp), codegen


@intrinsic
def store(typing: Any, value: Any, array: Any, row: Any, column: Any) -> Any:
    """``array[row, column : column + 16] = value``, for an array of the type of its lanes."""
    if checked(value).element != array.dtype:
        raise TypingError(f"{value} cannot be stored in {array}")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        store_lanes(context, builder, args[0], sig.args[1], *args[1:])
        return context.get_dummy_value()

    return types.void(value, array, types.intp, types.intp), codegen
