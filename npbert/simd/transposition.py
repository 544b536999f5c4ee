"""Rows become columns, sixteen by sixteen: how attention lays out its keys."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from npbert.simd.buffers import LANES
from npbert.simd.vector import INT64, VECTOR_INT
from npbert.simd.vector_memory import load_lanes, store_lanes


def _number(value: int) -> Any:
    return ir.Constant(INT64, value)


@intrinsic
def transpose(
    typing: Any,
    source: Any,
    rows: Any,
    first: Any,
    column: Any,
    out: Any,
    place: Any,
    stride: Any,
) -> Any:
    """Sixteen rows of ``source``, sixteen columns each, become sixteen rows of sixteen columns.

    ``out[0, place + stride * c + r] = source[rows[first + r], column + c]`` for r and c from 0 to
    15; where ``rows`` ends, its last one is taken again. Both arrays are float32, or both float64.
    """
    if source.dtype != out.dtype:
        raise TypingError(f"{source} cannot be transposed into {out}")

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        matrix, index, first, column, target, place, stride = args
        index_array = context.make_array(sig.args[1])(context, builder, index)
        last = builder.sub(cgutils.unpack_tuple(builder, index_array.shape)[0], _number(1))
        block = []
        for r in range(LANES):
            number = builder.add(first, _number(r))
            number = builder.select(builder.icmp_signed("<", number, last), number, last)
            row = builder.load(builder.gep(index_array.data, [number]))
            block.append(load_lanes(context, builder, sig.args[0], matrix, row, column))
        for c, vector in enumerate(_transposed(builder, block)):
            at = builder.add(place, builder.mul(stride, _number(c)))
            store_lanes(context, builder, vector, sig.args[4], target, _number(0), at)
        return context.get_dummy_value()

    numbers = [types.intp] * 3
    return types.void(source, rows, numbers[0], numbers[0], out, *numbers[1:]), codegen


def _transposed(builder: Any, block: list[Any]) -> list[Any]:
    """Four rounds; in the one of ``size``, blocks of size x size change places across."""
    for size in (8, 4, 2, 1):
        for r in range(LANES):
            if r & size:
                continue
            upper, lower = block[r], block[r + size]
            lanes = range(LANES)
            kept = [c if not c & size else LANES + c - size for c in lanes]
            moved = [c + size if not c & size else LANES + c for c in lanes]
            block[r] = builder.shuffle_vector(upper, lower, ir.Constant(VECTOR_INT, kept))
            block[r + size] = builder.shuffle_vector(upper, lower, ir.Constant(VECTOR_INT, moved))
    return block
