"""The register tile: the inner loop of every matrix product, written as LLVM vector IR.

``tile(vectors)`` is an intrinsic that computes ``c[rows, 16 * vectors] (+)= a[rows, depth] @ b``
with one accumulator register for each vector of ``c``. Every element is one chain of fused
multiply-adds in ascending k, which starts from zero: the numerics contract asks for just this.

In NumPy::

    for k in range(depth):
        accumulators = fma(a[:, k, None], b[k, :], accumulators)
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from npbert.simd import isa
from npbert.simd.buffers import LANES
from npbert.simd.vector import FLOAT, INT32, INT64, VECTOR, constant, fused_multiply_add, splat

TILE_ROWS, TILE_VECTORS = isa.current().tile_rows, isa.current().tile_vectors
_UNROLL = 4  # steps of k in one turn of the main loop; the rest are taken one by one
_POINTER = FLOAT.as_pointer()


def _int(value: int) -> Any:
    return ir.Constant(INT64, value)


class _Tile:
    """Emits the code of one tile; the methods are its phases."""

    def __init__(self, builder: Any, vectors: int, args: Any) -> None:
        self.builder = builder
        self.vectors = vectors
        a, self.a_stride, self.depth, b, c, self.c_stride, self.rows, self.accumulate = args
        self.a, self.b, self.c = (builder.inttoptr(each, _POINTER) for each in (a, b, c))

    def emit(self) -> None:
        zero = constant(0.0)
        self.sums = [
            [cgutils.alloca_once_value(self.builder, zero) for _ in range(self.vectors)]
            for _ in range(TILE_ROWS)
        ]
        self.a_rows = [self._row(self.a, self.a_stride, i) for i in range(TILE_ROWS)]
        whole = self.builder.and_(self.depth, _int(-_UNROLL))
        self._steps(_int(0), whole, _UNROLL)
        self._steps(whole, self.depth, 1)
        self._store()

    def _row(self, base: Any, stride: Any, i: int) -> Any:
        """Row ``i``, or the last one there is: a short tile computes it again, and drops it."""
        builder = self.builder
        last = builder.sub(self.rows, _int(1))
        row = builder.select(builder.icmp_signed("<", _int(i), self.rows), _int(i), last)
        return builder.gep(base, [builder.mul(row, stride)])

    def _steps(self, start: Any, stop: Any, step: int) -> None:
        builder = self.builder
        with cgutils.for_range_slice(builder, start, stop, _int(step), INT64) as (k, _):
            for u in range(step):
                self._step(builder.add(k, _int(u)))

    def _step(self, k: Any) -> None:
        """``sums += a[:, k] * b[k, :]``"""
        builder = self.builder
        b_row = builder.gep(self.b, [builder.mul(k, _int(LANES * self.vectors))])
        b = [builder.load(self._vector(b_row, j), align=LANES * 4) for j in range(self.vectors)]
        for a_row, sums in zip(self.a_rows, self.sums, strict=True):
            a = splat(builder, builder.load(builder.gep(a_row, [k]), align=4))
            for total, b_vector in zip(sums, b, strict=True):
                fused = fused_multiply_add(builder, a, b_vector, builder.load(total))
                builder.store(fused, total)

    def _store(self) -> None:
        builder = self.builder
        adds = builder.icmp_signed("!=", self.accumulate, _int(0))
        with builder.if_else(adds) as (then, otherwise):
            with then:
                self._store_rows(add=True)
            with otherwise:
                self._store_rows(add=False)

    def _store_rows(self, *, add: bool) -> None:
        builder = self.builder
        for i, sums in enumerate(self.sums):
            with builder.if_then(builder.icmp_signed("<", _int(i), self.rows)):
                row = builder.gep(self.c, [builder.mul(self.c_stride, _int(i))])
                for j, total in enumerate(sums):
                    place, value = self._vector(row, j), builder.load(total)
                    if add:
                        value = builder.fadd(builder.load(place, align=4), value)
                    builder.store(value, place, align=4)

    def _vector(self, row: Any, j: int) -> Any:
        place = self.builder.gep(row, [_int(j * LANES)])
        return self.builder.bitcast(place, VECTOR.as_pointer())


@cache
def tile(vectors: int) -> Any:
    """The tile ``16 * vectors`` columns wide.

    Its arguments: the address of ``a`` and its row stride (in elements), the depth, the address of
    ``b`` (packed: ``[k][column]``, 64-byte aligned), the address of ``c`` and its row stride, how
    many rows there are (1 to ``TILE_ROWS``), and whether to add to ``c`` or overwrite it.
    """

    @intrinsic
    def register_tile(
        typing: Any,
        a: Any,
        a_stride: Any,
        depth: Any,
        b: Any,
        c: Any,
        c_stride: Any,
        rows: Any,
        accumulate: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            _Tile(builder, vectors, args).emit()
            return context.get_dummy_value()

        return types.void(*[types.intp] * 8), codegen

    return register_tile


tile_1, tile_2, tile_3 = tile(1), tile(2), tile(3)


@intrinsic
def prefetch(typing: Any, address: Any, lines: Any) -> Any:
    """Ask for ``lines`` cache lines from ``address`` on, to be in the L2 cache when they are read.

    A hint: no address is too wild for it, and no value depends on it.
    """

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer_type = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer_type, INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, into_l2, data = (ir.Constant(INT32, value) for value in (0, 2, 1))
        with cgutils.for_range(builder, args[1]) as loop:
            line = builder.add(args[0], builder.mul(loop.index, ir.Constant(INT64, 64)))
            builder.call(function, [builder.inttoptr(line, pointer_type), read, into_l2, data])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), codegen
