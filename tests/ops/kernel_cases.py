"""Arguments for every kernel, in buffers that are as small as its docstring allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.ops.similarity import EUCLIDEAN, MANHATTAN
from npbert.simd import barrier, buffers
from npbert.simd.buffers import padded
from npbert.simd.gemm import GELU, GELU_APPROXIMATE, NO_ACTIVATION, pack


class Case(NamedTuple):
    """The arguments of one call, and which of them it may write to.

    ``results`` are those of the written ones that hold the same bits whatever the tile's shape:
    not scratch, and not a part of the columns, for the tile's shape decides which these are.
    """

    arguments: list[Any]
    written: tuple[int, ...]
    results: tuple[int, ...]


Maker = Callable[[np.random.Generator], Case]
CASES: dict[str, Maker] = {}
"""Name of a kernel -> a maker of random cases."""


def _case(maker: Maker) -> Maker:
    CASES[maker.__name__] = maker
    return maker


def _case_of(arguments: list[Any], *written: int) -> Case:
    """All that is written is a result."""
    return Case(arguments, written, written)


def _floats(random: np.random.Generator, rows: int, columns: int, wide: int = 0) -> NDArray[Any]:
    """(rows, columns) normal numbers, with zeros up to ``wide`` columns."""
    out = np.zeros((rows, max(wide, columns)), np.float32)
    out[:, :columns] = random.standard_normal((rows, columns))
    return out


def _ids(random: np.random.Generator, stop: int, count: int) -> NDArray[np.int32]:
    return random.integers(0, stop, count).astype(np.int32)


def _dirty(*shape: int) -> NDArray[np.float32]:
    """Scratch and results come as they are, not as zeros; the tile wants them aligned."""
    out = buffers.empty(*shape)
    out.fill(np.nan)
    return out


@_case
def lookup_kernel(random: np.random.Generator) -> Case:
    R, V, D = random.integers(1, 40, 3)
    table = _floats(random, V, D, padded(D))
    return _case_of([_ids(random, V, R), table, _dirty(R, padded(D))], 2)


@_case
def embedding_kernel(random: np.random.Generator) -> Case:
    R, D, *counts = random.integers(1, 40, 5)
    ids = [_ids(random, count, R) for count in counts]
    tables = [_floats(random, count, D, padded(D)) for count in counts]
    return _case_of([*ids, *tables, _dirty(R, padded(D))], 6)


@_case
def layer_norm_kernel(random: np.random.Generator) -> Case:
    R, D = random.integers(1, 40, 2)
    x, gamma, beta = (_floats(random, rows, D, padded(D)) for rows in (R, 1, 1))
    return _case_of([x, gamma, beta, 1e-12, int(D), _dirty(R, padded(D))], 5)


def _product(random: np.random.Generator) -> tuple[list[Any], NDArray[np.float32]]:
    """The arguments up to the residual, and the result; ``a`` ends where its last K tail ends."""
    M, N = random.integers(1, 70, 2)
    K = random.choice([*range(1, 40), 63, 64, 65, 127, 129, 300])
    b = random.standard_normal((K, N)).astype(np.float32)
    wide = padded(N)
    bias = _floats(random, int(random.integers(2)), N, wide)
    residual = _floats(random, int(random.integers(2)) * M, N, wide)
    sizes = [int(M), _floats(random, M, K), int(K), pack(b), int(N)]
    return [*sizes, bias, residual], _dirty(M, wide)


@_case
def gemm_kernel(random: np.random.Generator) -> Case:
    """Half of the cases are the only part there is; others may have no panel at all."""
    arguments, out = _product(random)
    activation = int(random.choice([NO_ACTIVATION, GELU_APPROXIMATE, GELU]))
    part, parts = _part(random)
    return Case([*arguments, activation, out, part, parts], (8,), (8,) if parts == 1 else ())


def _part(random: np.random.Generator) -> tuple[int, int]:
    parts = int(random.choice([1, 1, 1, 2, 3, 5]))
    return int(random.integers(parts)), parts


@_case
def softmax_kernel(random: np.random.Generator) -> Case:
    R, T = random.integers(1, 40, 2)
    scores = _floats(random, R, T, padded(T))
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


def _attention_scratch(random: np.random.Generator, most: int, H: int) -> list[Any]:
    rows = int(random.integers(1, 5))
    return [
        *(_dirty(rows, H), _dirty(rows, padded(most)), _dirty(rows, padded(H))),
        *(_dirty(1, padded(most) * H), _dirty(1, most * padded(H))),
    ]


@_case
def attention_kernel(random: np.random.Generator) -> Case:
    N, H = int(random.integers(1, 5)), int(random.integers(1, 40))
    R, most, batch = _ragged(random)
    fused = bool(random.integers(2))
    seen = [_dirty(R, N, most) if random.integers(2) else _dirty(0, 0, 0) for _ in range(2)]
    scratch = _attention_scratch(random, most, H)
    where = [*batch, N, H, np.float32(H**-0.5), fused]
    arguments = [_floats(random, R, 3 * N * H), *where, *scratch, _dirty(R, N * H), *seen]
    return Case([*arguments, *_part(random)], tuple(range(9, 17)), (14, 15, 16))


@_case
def layers_kernel(random: np.random.Generator) -> Case:
    """A part among others runs alone on a barrier that was stopped: it waits for nobody."""
    N, H, F, L = (int(random.integers(1, n)) for n in (5, 30, 90, 4))
    D, first = N * H, int(random.integers(L))
    R, most, batch = _ragged(random)
    part, parts = _part(random)
    state = barrier.new_state()
    if parts > 1:
        barrier.stop(state)
    constants = [N, H, F, 1e-12, np.float32(H**-0.5), bool(random.integers(2))]
    activation = int(random.choice([GELU_APPROXIMATE, GELU]))
    rows = [_dirty(R, width) for width in (padded(3 * D), D, padded(D), padded(F))]
    x = _floats(random, R, D, padded(D))
    weights = [
        *(*_dense(random, L, D, 3 * D), *_dense(random, L, D, D), *_norm(random, L, D)),
        *(*_dense(random, L, D, F), *_dense(random, L, F, D), *_norm(random, L, D)),
    ]
    scratch = _attention_scratch(random, most, H)
    which = [part, parts, state, first, L]
    arguments = [*which, *constants, activation, x, *rows, *weights, *batch, *scratch]
    written = (2, *range(12, 17), *range(33, 38))
    return Case([*arguments, _dirty(0, 0, 0)], written, (12,) if parts == 1 else ())


@_case
def linger_kernel(random: np.random.Generator) -> Case:
    """A bell that has rung, or does not."""
    bell = np.array([random.integers(3)], np.int64)
    return Case([bell, int(random.integers(3))], (), ())


def _dense(random: np.random.Generator, layers: int, depth: int, columns: int) -> list[Any]:
    packed = buffers.empty(layers, depth * padded(columns))
    for panels in packed:
        pack(random.standard_normal((depth, columns)).astype(np.float32), panels)
    return [packed, _floats(random, layers, columns, padded(columns))]


def _norm(random: np.random.Generator, layers: int, D: int) -> list[Any]:
    return [_floats(random, layers, D, padded(D)) for _ in range(2)]


def _elementwise(random: np.random.Generator) -> Case:
    R, F = random.integers(1, 40, 2)
    return _case_of([_floats(random, R, F, padded(F)), _dirty(R, padded(F))], 1)


for _name in ("gelu_approximate", "gelu", "tanh", "sigmoid", "relu", "l2_normalize"):
    CASES[f"{_name}_kernel"] = _elementwise


def _spans(random: np.random.Generator) -> tuple[Any, list[Any], Any]:
    """Rows, where texts begin and end in them, and room for the result."""
    R, D, B = (int(n) for n in random.integers(1, 40, 3))
    spans = np.sort(random.integers(0, R + 1, (2, B)), axis=0).astype(np.int64)
    return _floats(random, R, D, padded(D)), [each.copy() for each in spans], _dirty(B, padded(D))


@_case
def sum_pool_kernel(random: np.random.Generator) -> Case:
    tokens, spans, out = _spans(random)
    weights = random.standard_normal(len(tokens)).astype(np.float32)
    divisors = random.uniform(1, 9, len(out)).astype(np.float32)
    return _case_of([tokens, weights, *spans, divisors, out], 5)


@_case
def max_pool_kernel(random: np.random.Generator) -> Case:
    tokens, spans, out = _spans(random)
    return _case_of([tokens, *spans, out], 3)


@_case
def distance_kernel(random: np.random.Generator) -> Case:
    A, B, D = (int(n) for n in random.integers(1, 40, 3))
    paired = bool(random.integers(2))
    a, b = (_floats(random, rows, D, padded(D)) for rows in (A, A if paired else B))
    order = int(random.choice([MANHATTAN, EUCLIDEAN]))
    return _case_of([a, b, order, paired, _dirty(A, 1 if paired else B)], 4)


@_case
def row_dot_kernel(random: np.random.Generator) -> Case:
    A, D = int(random.integers(1, 40)), int(random.choice([*range(1, 40), 63, 64, 65, 129]))
    return _case_of([_floats(random, A, D), _floats(random, A, D), D, _dirty(A)], 3)


NOT_OPS = {
    "layers_kernel": "whole layers: ops of the registry, one after the other",
    "linger_kernel": "computes nothing: a thread waits in it for the next call",
}
"""Kernels that no op of the registry is made of, and why."""


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
