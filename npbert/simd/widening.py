"""Products with weights of 16 bits: a few tiles widen what they load, many share one widened copy.

To widen a number costs an instruction or two, and is free where the weights come from memory more
slowly than the tiles use them. With many rows that is no longer so: then `DEPTH` rows of a panel
are widened once, into some 12 KB of the stack, and all tiles multiply with these.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from npbert.simd.buffers import ALIGNMENT, LANES
from npbert.simd.gemm import DEPTH
from npbert.simd.kernel import Kernel, inline
from npbert.simd.tile import PACE_STEPS, TILE_ROWS, TILE_VECTORS, tile
from npbert.simd.vector import FLOAT, INT64, VECTOR
from npbert.simd.widened import element_of, load_weights

PACES = (3, 6)
"""The paces of few tiles; a panel for many is fetched at the slowest of all."""
_tile_1, _tile_2, _tile_3 = (tile(width, paces=(1,)) for width in (1, 2, 3))


@intrinsic
def _room(typing: Any) -> Any:
    """The address of `DEPTH` float32 rows of a panel, on the stack, until the function returns."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        room = cgutils.alloca_once(builder, ir.ArrayType(FLOAT, DEPTH * LANES * TILE_VECTORS))
        room.align = ALIGNMENT
        return builder.ptrtoint(room, INT64)

    return types.intp(), codegen


def _widen(stored: str) -> Any:
    @intrinsic
    def widen(typing: Any, panel: Any, width: Any, k: Any, j: Any, out: Any) -> Any:
        """Vector j of row k of a panel, as float32, goes to the address ``out``."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            panel, width, k, j, out = args
            source = builder.inttoptr(panel, element_of(stored).as_pointer())
            value = load_weights(builder, stored, source, width, k, j, None)
            builder.store(value, builder.inttoptr(out, VECTOR.as_pointer()), align=ALIGNMENT)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 5), codegen

    return widen


def _multiply(stored: str) -> Kernel:
    tile_1, tile_2, tile_3 = (tile(width, stored, PACES) for width in (1, 2, 3))

    @inline
    def multiply(width, a, a_stride, depth, b, c, c_stride, rows, ahead, pace):  # type: ignore[no-untyped-def]
        """One tile, ``c = a @ b``, which widens what it loads."""
        if width == 3:
            tile_3(a, a_stride, depth, b, c, c_stride, rows, ahead, pace, 0)
        elif width == 2:
            tile_2(a, a_stride, depth, b, c, c_stride, rows, ahead, pace, 0)
        else:
            tile_1(a, a_stride, depth, b, c, c_stride, rows, ahead, pace, 0)

    return multiply


def _multiply_widened(stored: str) -> Kernel:
    widen = _widen(stored)

    @inline
    def multiply_widened(width, a, a_stride, depth, b, c, c_stride, rows, ahead):  # type: ignore[no-untyped-def]
        """All tiles of one panel, ``c = a @ b``, by way of a widened copy."""
        room = _room()
        for start in range(0, depth, DEPTH):
            steps = min(DEPTH, depth - start)
            for k in range(steps):
                for j in range(width):
                    widen(b, width, start + k, j, room + 64 * (width * k + j))
            for i in range(0, rows, TILE_ROWS):
                height = min(TILE_ROWS, rows - i)
                part, place = a + 4 * (i * a_stride + start), c + 4 * i * c_stride
                if width == 3:
                    _tile_3(part, a_stride, steps, room, place, c_stride, height, ahead, 1, start)
                elif width == 2:
                    _tile_2(part, a_stride, steps, room, place, c_stride, height, ahead, 1, start)
                else:
                    _tile_1(part, a_stride, steps, room, place, c_stride, height, ahead, 1, start)
                ahead += 64 * (steps // PACE_STEPS)

    return multiply_widened


multiply_float16, multiply_bfloat16 = _multiply("float16"), _multiply("bfloat16")
multiply_widened_float16 = _multiply_widened("float16")
multiply_widened_bfloat16 = _multiply_widened("bfloat16")


@inline
def multiply_widened(width, a, a_stride, depth, b, c, c_stride, rows, ahead):  # type: ignore[no-untyped-def]
    """For a precision that widens nothing: never called, but compiled."""
