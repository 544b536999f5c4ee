"""The register tile: the inner loop of every matrix product, written as LLVM vector IR.

``tile(vectors)`` is an intrinsic that computes ``c[rows, 16 * vectors] = a[rows, depth] @ b`` with
one accumulator register for each vector of ``c``. Every element is summed as the numerics contract
asks: in parts of ``DEPTH``, each one chain of fused multiply-adds in ascending k from zero. Weights
of 16 bits are widened as they are loaded.

In NumPy::

    for start in range(0, depth, DEPTH):
        sums = zeros((rows, 16 * vectors))
        for k in range(start, min(start + DEPTH, depth)):
            sums = fma(a[:, k, None], b[k, :], sums)
        c = c + sums if start else sums
"""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from npbert.simd import isa
from npbert.simd.buffers import LANES
from npbert.simd.gemm import DEPTH
from npbert.simd.kernel import inline
from npbert.simd.vector import DOUBLE, FLOAT, INT32, INT64, constant, fused_multiply_add, splat
from npbert.simd.widened import element_of, load_weights

TILE_ROWS, TILE_VECTORS = isa.current().tile_rows, isa.current().tile_vectors
TILE_ROWS_64, TILE_VECTORS_64 = isa.current().tile_rows_64, 1
PACE_TURNS = {1: 8, 3: 4, 6: 4}
"""How many cache lines of the next panel may be fetched in every `PACE_STEPS` steps of k; and how
many steps are one turn of the loop, chosen by measurement."""
PACES = tuple(PACE_TURNS)
PACE_STEPS = 4
_TURN = max(PACE_TURNS.values())  # steps past the last whole turn are taken one by one


def _int(value: int) -> Any:
    return ir.Constant(INT64, value)


def _prefetch(builder: Any, address: Any) -> None:
    """A hint: no address is too wild for it, and no value depends on it."""
    pointer = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, INT32, INT32, INT32])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    read, into_l2, data = (ir.Constant(INT32, value) for value in (0, 2, 1))
    builder.call(function, [builder.inttoptr(address, pointer), read, into_l2, data])


class _Tile:
    """Emits the code of one tile; the methods are its phases."""

    def __init__(self, builder: Any, vectors: int, stored: str, paces: Any, args: Any) -> None:
        self.builder = builder
        self.vectors = vectors
        self.stored = stored
        self.paces = paces
        self.element = DOUBLE if stored == "float64" else FLOAT
        self.kind = ir.VectorType(self.element, LANES)
        self.bytes = 8 if stored == "float64" else 4
        self.height = TILE_ROWS_64 if stored == "float64" else TILE_ROWS
        a, self.a_stride, self.depth, b, c, self.c_stride, self.rows, ahead, self.pace = args[:9]
        self.adds = args[9]
        self.ahead = cgutils.alloca_once_value(builder, ahead)
        pointer = self.element.as_pointer()
        self.a, self.c = (builder.inttoptr(each, pointer) for each in (a, c))
        self.b = builder.inttoptr(b, element_of(stored).as_pointer())

    def emit(self) -> None:
        builder = self.builder
        self.sums = [
            [cgutils.alloca_once(builder, self.kind) for _ in range(self.vectors)]
            for _ in range(self.height)
        ]
        self.a_rows = [self._row(self.a, self.a_stride, i) for i in range(self.height)]
        with cgutils.for_range_slice(builder, _int(0), self.depth, _int(DEPTH), INT64) as (k, _):
            self._part(k)

    def _part(self, start: Any) -> None:
        """One part: ``c (+)= a[:, start : start + DEPTH] @ b[start : start + DEPTH]``"""
        builder = self.builder
        for row in self.sums:
            for total in row:
                builder.store(constant(0.0, self.kind), total)
        rest = builder.sub(self.depth, start)
        steps = builder.select(builder.icmp_signed("<", rest, _int(DEPTH)), rest, _int(DEPTH))
        whole = builder.add(start, builder.and_(steps, _int(-_TURN)))
        self._turns(start, whole)
        self._steps(whole, builder.add(start, steps), 1)
        self._store(start)

    def _row(self, base: Any, stride: Any, i: int) -> Any:
        """Row ``i``, or the last one there is: a short tile computes it again, and drops it."""
        builder = self.builder
        last = builder.sub(self.rows, _int(1))
        row = builder.select(builder.icmp_signed("<", _int(i), self.rows), _int(i), last)
        return builder.gep(base, [builder.mul(row, stride)])

    def _turns(self, start: Any, stop: Any) -> None:
        """The main loop: one for each pace, for a count of fetches inside would cost registers."""
        builder = self.builder
        end = builder.append_basic_block("turns.end")
        switch = builder.switch(self.pace, end)
        for pace in self.paces:
            block = builder.append_basic_block(f"turns.pace_{pace}")
            switch.add_case(_int(pace), block)
            with builder.goto_block(block):
                self._steps(start, stop, PACE_TURNS[pace], pace)
                builder.branch(end)
        builder.position_at_end(end)

    def _steps(self, start: Any, stop: Any, turn: int, pace: int = 0) -> None:
        builder = self.builder
        with cgutils.for_range_slice(builder, start, stop, _int(turn), INT64) as (k, _):
            for u in range(turn):
                if u % PACE_STEPS == 0 and pace:
                    self._fetch(pace)
                odd = bool(u % 2) if turn > 1 else None
                self._step(builder.add(k, _int(u)), odd)

    def _fetch(self, lines: int) -> None:
        """Ask for some lines of the next panel, to be in the L2 cache when it is its turn."""
        builder = self.builder
        address = builder.load(self.ahead)
        for _ in range(lines):
            _prefetch(builder, address)
            address = builder.add(address, _int(64))
        builder.store(address, self.ahead)

    def _step(self, k: Any, odd: bool | None) -> None:
        """``sums += a[:, k] * b[k, :]``; None: whether k is odd is not known here."""
        builder = self.builder
        b = [
            load_weights(builder, self.stored, self.b, _int(self.vectors), k, _int(j), odd)
            for j in range(self.vectors)
        ]
        for a_row, sums in zip(self.a_rows, self.sums, strict=True):
            a = splat(builder, builder.load(builder.gep(a_row, [k]), align=self.bytes))
            for total, b_vector in zip(sums, b, strict=True):
                fused = fused_multiply_add(builder, a, b_vector, builder.load(total))
                builder.store(fused, total)

    def _store(self, start: Any) -> None:
        builder = self.builder
        adds = builder.icmp_signed("!=", builder.or_(start, self.adds), _int(0))
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
                        value = builder.fadd(builder.load(place, align=self.bytes), value)
                    builder.store(value, place, align=self.bytes)

    def _vector(self, row: Any, j: int) -> Any:
        place = self.builder.gep(row, [_int(j * LANES)])
        return self.builder.bitcast(place, self.kind.as_pointer())


@cache
def tile(vectors: int, stored: str = "float32", paces: tuple[int, ...] = PACES) -> Any:
    """The tile ``16 * vectors`` columns wide, for weights stored in a dtype.

    Its arguments: the address of ``a`` and its row stride (in elements), the depth, the address of
    ``b`` (one panel of `npbert.simd.panels`), the address of ``c`` and its row stride, how many
    rows there are (1 to ``TILE_ROWS``), where to fetch from in advance, at which of ``paces``; and
    not 0 where the sum is added to what ``c`` holds.
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
        ahead: Any,
        pace: Any,
        adds: Any,
    ) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            _Tile(builder, vectors, stored, paces, args).emit()
            return context.get_dummy_value()

        return types.void(*[types.intp] * 10), codegen

    return register_tile


tile_1, tile_2, tile_3, tile_64 = tile(1), tile(2), tile(3), tile(1, "float64")


@inline
def multiply(width, a, a_stride, depth, b, c, c_stride, rows, ahead, pace):  # type: ignore[no-untyped-def]
    """One tile, ``c = a @ b``, of this width."""
    if width == 3:
        tile_3(a, a_stride, depth, b, c, c_stride, rows, ahead, pace, 0)
    elif width == 2:
        tile_2(a, a_stride, depth, b, c, c_stride, rows, ahead, pace, 0)
    else:
        tile_1(a, a_stride, depth, b, c, c_stride, rows, ahead, pace, 0)


@inline
def multiply_64(width, a, a_stride, depth, b, c, c_stride, rows, ahead, pace):  # type: ignore[no-untyped-def]
    """One tile of float64, which is one vector wide."""
    tile_64(a, a_stride, depth, b, c, c_stride, rows, ahead, pace, 0)
