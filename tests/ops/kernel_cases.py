"""Arguments for every kernel in every precision, in buffers as small as its docstring allows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from precisions import rounded

from npbert.ops.similarity import EUCLIDEAN, MANHATTAN
from npbert.simd import barrier, buffers, panels
from npbert.simd.buffers import padded
from npbert.simd.gemm import GELU, GELU_APPROXIMATE, NO_ACTIVATION
from npbert.simd.precision import FLOAT32, Precision


class Case(NamedTuple):
    """The arguments of one call, and which of them it may write to.

    ``results`` are those of the written ones that hold the same bits whatever the tile's shape:
    not scratch, and not a part of the columns, for the tile's shape decides which these are.
    """

    arguments: list[Any]
    written: tuple[int, ...]
    results: tuple[int, ...]


Maker = Callable[[np.random.Generator, Precision], Case]
CASES: dict[str, Maker] = {}
"""Name of a kernel -> a maker of random cases."""


def _case(maker: Maker) -> Maker:
    CASES[maker.__name__] = maker
    return maker


def _case_of(arguments: list[Any], *written: int) -> Case:
    """All that is written is a result."""
    return Case(arguments, written, written)


def _floats(
    random: np.random.Generator, precision: Precision, rows: int, columns: int, wide: int = 0
) -> NDArray[Any]:
    """(rows, columns) normal numbers, with zeros up to ``wide`` columns."""
    out = np.zeros((rows, max(wide, columns)), precision.real)
    out[:, :columns] = random.standard_normal((rows, columns))
    return rounded(out, precision)


def _table(
    random: np.random.Generator, precision: Precision, rows: int, columns: int
) -> NDArray[Any]:
    """The same, padded and as it is stored."""
    return precision.bits(_floats(random, precision, rows, columns, padded(columns)))


def _ids(random: np.random.Generator, stop: int, count: int) -> NDArray[np.int32]:
    return random.integers(0, stop, count).astype(np.int32)


def _dirty(precision: Precision, *shape: int) -> NDArray[Any]:
    """Scratch and results come as they are, not as zeros; the tile wants them aligned."""
    out = buffers.empty(*shape, dtype=precision.real)
    out.fill(np.nan)
    return out


@_case
def lookup_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    R, V, D = random.integers(1, 40, 3)
    table = _table(random, precision, V, D)
    return _case_of([_ids(random, V, R), table, _dirty(precision, R, padded(D))], 2)


@_case
def embedding_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    R, D, *counts = random.integers(1, 40, 5)
    ids = [_ids(random, count, R) for count in counts]
    tables = [_table(random, precision, count, D) for count in counts]
    return _case_of([*ids, *tables, _dirty(precision, R, padded(D))], 6)


@_case
def layer_norm_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    R, D = random.integers(1, 40, 2)
    x, gamma, beta = (_floats(random, precision, rows, D, padded(D)) for rows in (R, 1, 1))
    return _case_of([x, gamma, beta, 1e-12, int(D), _dirty(precision, R, padded(D))], 5)


def _product(random: np.random.Generator, precision: Precision) -> tuple[list[Any], NDArray[Any]]:
    """The arguments up to the residual, and the result; ``a`` ends where its last K tail ends."""
    M, N = random.integers(1, 70, 2)
    K = random.choice([*range(1, 40), 63, 64, 65, 127, 129, 300])
    b = random.standard_normal((K, N)).astype(precision.real)
    wide = padded(N)
    bias = _floats(random, precision, int(random.integers(2)), N, wide)
    residual = _floats(random, precision, int(random.integers(2)) * M, N, wide)
    a, packed = _floats(random, precision, M, K), panels.pack(b, precision=precision)
    return [int(M), a, int(K), packed, int(N), bias, residual], _dirty(precision, M, wide)


@_case
def gemm_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    """Half of the cases are the only part there is; others may have no panel at all."""
    arguments, out = _product(random, precision)
    activation = int(random.choice([NO_ACTIVATION, GELU_APPROXIMATE, GELU]))
    part, parts = _part(random)
    return Case([*arguments, activation, out, part, parts], (8,), (8,) if parts == 1 else ())


def _part(random: np.random.Generator) -> tuple[int, int]:
    parts = int(random.choice([1, 1, 1, 2, 3, 5]))
    return int(random.integers(parts)), parts


@_case
def softmax_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    R, T = random.integers(1, 40, 2)
    scores = _floats(random, precision, R, T, padded(T))
    scores[:, T:] = np.nan  # whatever is there
    return _case_of([scores, int(T)], 0)


class _Ragged(NamedTuple):
    """Some sequences keep all their keys, some a few, some none."""

    rows: int
    most: int
    arrays: list[Any]  # row starts, keys, key starts, uniform


def _ragged(random: np.random.Generator) -> _Ragged:
    B = int(random.integers(1, 5))
    lengths = random.integers(1, 40, B)
    row_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    R = int(row_starts[-1])
    kept = random.random(R) < np.repeat(random.choice([0.0, 0.5, 1.0], B), lengths)
    counts = np.add.reduceat(kept, row_starts[:-1]).astype(np.int64)
    key_starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    keys = np.flatnonzero(kept).astype(np.int64)
    most = max(1, int(counts.max()))
    return _Ragged(R, most, [row_starts, keys, key_starts, np.zeros(B, np.bool_)])


def _attention_scratch(
    random: np.random.Generator, precision: Precision, most: int, H: int
) -> list[Any]:
    rows = int(random.integers(1, 5))
    shapes = (rows, H), (rows, padded(most)), (rows, padded(H))
    panels = (1, padded(most) * H), (1, most * padded(H))
    return [_dirty(precision, *shape) for shape in (*shapes, *panels)]


def _scale(H: int, precision: Precision) -> Any:
    return precision.real_dtype.type(H**-0.5)


@_case
def attention_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    N, H = int(random.integers(1, 5)), int(random.integers(1, 40))
    R, most, batch = _ragged(random)
    fused = bool(random.integers(2))
    shapes = [(R, N, most) if random.integers(2) else (0, 0, 0) for _ in range(2)]
    results = [_dirty(precision, *shape) for shape in ((R, N * H), *shapes)]
    scratch = _attention_scratch(random, precision, most, H)
    where = [*batch, N, H, _scale(H, precision), fused]
    arguments = [_floats(random, precision, R, 3 * N * H), *where, *scratch, *results]
    return Case([*arguments, *_part(random)], tuple(range(9, 17)), (14, 15, 16))


@_case
def layers_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    """A part among others runs alone on a barrier that was stopped: it waits for nobody."""
    N, H, F, L = (int(random.integers(1, n)) for n in (5, 30, 90, 4))
    D, first = N * H, int(random.integers(L))
    R, most, batch = _ragged(random)
    part, parts = _part(random)
    state = barrier.new_state()
    if parts > 1:
        barrier.stop(state)
    constants = [N, H, F, 1e-12, _scale(H, precision), bool(random.integers(2))]
    activation = int(random.choice([GELU_APPROXIMATE, GELU]))
    rows = [_dirty(precision, R, width) for width in (padded(3 * D), D, padded(D), padded(F))]
    x = _floats(random, precision, R, D, padded(D))
    dense, norm = partial(_dense, random, precision, L), partial(_norm, random, precision, L)
    weights = [*dense(D, 3 * D), *dense(D, D), *norm(D), *dense(D, F), *dense(F, D), *norm(D)]
    scratch = _attention_scratch(random, precision, most, H)
    which = [part, parts, state, first, L]
    arguments = [*which, *constants, activation, x, *rows, *weights, *batch, *scratch]
    written = (2, *range(12, 17), *range(33, 38))
    nothing = _dirty(precision, 0, 0, 0)
    return Case([*arguments, nothing], written, (12,) if parts == 1 else ())


@_case
def linger_kernel(random: np.random.Generator, _: Precision = FLOAT32) -> Case:
    """A bell that has rung, or does not."""
    bell = np.array([random.integers(3)], np.int64)
    return Case([bell, int(random.integers(3))], (), ())


def _dense(
    random: np.random.Generator, precision: Precision, layers: int, depth: int, columns: int
) -> list[Any]:
    size = panels.size(depth, columns, precision)
    packed = buffers.empty(layers, size, dtype=precision.stored_dtype)
    for each in packed:
        panels.pack(random.standard_normal((depth, columns)), each, precision)
    return [packed, _floats(random, precision, layers, columns, padded(columns))]


def _norm(random: np.random.Generator, precision: Precision, layers: int, D: int) -> list[Any]:
    return [_floats(random, precision, layers, D, padded(D)) for _ in range(2)]


def _elementwise(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    R, F = random.integers(1, 40, 2)
    x = _floats(random, precision, R, F, padded(F))
    return _case_of([x, _dirty(precision, R, padded(F))], 1)


for _name in ("gelu_approximate", "gelu", "tanh", "sigmoid", "relu", "l2_normalize"):
    CASES[f"{_name}_kernel"] = _elementwise


def _spans(random: np.random.Generator, precision: Precision) -> tuple[Any, list[Any], Any]:
    """Rows, where texts begin and end in them, and room for the result."""
    R, D, B = (int(n) for n in random.integers(1, 40, 3))
    spans = np.sort(random.integers(0, R + 1, (2, B)), axis=0).astype(np.int64)
    rows, out = _floats(random, precision, R, D, padded(D)), _dirty(precision, B, padded(D))
    return rows, [each.copy() for each in spans], out


@_case
def sum_pool_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    tokens, spans, out = _spans(random, precision)
    weights = random.standard_normal(len(tokens)).astype(precision.real)
    divisors = random.uniform(1, 9, len(out)).astype(precision.real)
    return _case_of([tokens, weights, *spans, divisors, out], 5)


@_case
def max_pool_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    tokens, spans, out = _spans(random, precision)
    return _case_of([tokens, *spans, out], 3)


@_case
def distance_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    A, B, D = (int(n) for n in random.integers(1, 40, 3))
    paired = bool(random.integers(2))
    a, b = (_floats(random, precision, rows, D, padded(D)) for rows in (A, A if paired else B))
    order = int(random.choice([MANHATTAN, EUCLIDEAN]))
    return _case_of([a, b, order, paired, _dirty(precision, A, 1 if paired else B)], 4)


@_case
def row_dot_kernel(random: np.random.Generator, precision: Precision = FLOAT32) -> Case:
    A, D = int(random.integers(1, 40)), int(random.choice([*range(1, 40), 63, 64, 65, 129]))
    a, b = (_floats(random, precision, A, D) for _ in range(2))
    return _case_of([a, b, D, _dirty(precision, A)], 3)


NOT_OPS = {
    "layers_kernel": "whole layers: ops of the registry, one after the other",
    "linger_kernel": "computes nothing: a thread waits in it for the next call",
}
"""Kernels that no op of the registry is made of, and why."""

ONE_PRECISION = {"linger_kernel"}
"""Those that know of no float: all their variants are alike."""


def kernels() -> dict[str, Any]:
    """Every kernel by name: those of the registry, and `NOT_OPS`."""
    from npbert.ops.registry import OPS
    from npbert.ops.transformer_layer import layers_kernel
    from npbert.simd.barrier import linger_kernel

    found = {kernel.name: kernel for op in OPS.values() for kernel in op.kernels}
    assert not found.keys() & NOT_OPS.keys()
    others = {kernel.name: kernel for kernel in (layers_kernel, linger_kernel)}
    assert others.keys() == NOT_OPS.keys()
    return found | others
