"""Weights of 16 bits become float32 as they are loaded into registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from npbert.simd import isa
from npbert.simd.buffers import ALIGNMENT, LANES
from npbert.simd.vector import DOUBLE, FLOAT, INT32, INT64, VECTOR, VECTOR_INT, constant, splat
from npbert.simd.vector_memory import from_float16

_INT16 = ir.IntType(16)
_ELEMENTS = {"float32": FLOAT, "float64": DOUBLE, "float16": _INT16, "bfloat16": INT32}


def element_of(stored: str) -> Any:
    """LLVM's type of what lies in a panel: for bfloat16, a pair."""
    return _ELEMENTS[stored]


def load_weights(
    builder: Any, stored: str, panel: Any, width: Any, k: Any, j: Any, odd: bool | None
) -> Any:
    """LLVM: ``panel[k, 16 * j : 16 * j + 16]`` of a panel ``width`` vectors wide, widened.

    ``odd``: whether k is; None where that is known only to the code.
    """
    row = builder.lshr(k, ir.Constant(INT64, 1)) if stored == "bfloat16" else k
    vector = builder.add(builder.mul(row, width), j)
    pointer = builder.gep(panel, [builder.mul(vector, ir.Constant(INT64, LANES))])
    kind = ir.VectorType(element_of(stored), LANES)
    align = min(ALIGNMENT, LANES * (2 if stored == "float16" else 4))
    value = builder.load(builder.bitcast(pointer, kind.as_pointer()), align=align)
    if stored == "bfloat16":
        return _of_pair(builder, value, k, odd)
    return _float16(builder, value) if stored == "float16" else value


def _of_pair(builder: Any, pairs: Any, k: Any, odd: bool | None) -> Any:
    """The lower halves of 32 bits where k is even, the upper ones where it is odd."""
    if odd is None:
        even = builder.and_(builder.trunc(builder.not_(k), INT32), ir.Constant(INT32, 1))
        shift = splat(builder, builder.shl(even, ir.Constant(INT32, 4)))
        pairs = builder.shl(pairs, shift)
    elif not odd:
        pairs = builder.shl(pairs, constant(16, VECTOR_INT))
    if odd is not False:
        pairs = builder.and_(pairs, constant(-0x10000, VECTOR_INT))
    return builder.bitcast(pairs, VECTOR)


def _float16(builder: Any, bits: Any) -> Any:
    """By the instruction for it where there is one: it does what `from_float16` does."""
    if "+f16c" in isa.target()[2].split(","):
        half = builder.bitcast(bits, ir.VectorType(ir.HalfType(), LANES))
        return builder.fpext(half, VECTOR)
    return from_float16(builder, bits)
