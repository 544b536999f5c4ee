"""Arguments for every kernel, in buffers that are as small as its docstring allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.simd import buffers
from npbert.simd.buffers import padded
from npbert.simd.gemm import pack


class Case(NamedTuple):
    """The arguments of one call, and which of them it may write to."""

    arguments: list[Any]
    written: tuple[int, ...]


Maker = Callable[[np.random.Generator], Case]
CASES: dict[str, Maker] = {}
"""Name of a kernel -> a maker of random cases."""


def _case(maker: Maker) -> Maker:
    CASES[maker.__name__] = maker
    return maker


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
    return Case([_ids(random, V, R), table, _dirty(R, padded(D))], (2,))


@_case
def embedding_kernel(random: np.random.Generator) -> Case:
    R, D, *counts = random.integers(1, 40, 5)
    ids = [_ids(random, count, R) for count in counts]
    tables = [_floats(random, count, D, padded(D)) for count in counts]
    return Case([*ids, *tables, _dirty(R, padded(D))], (6,))


@_case
def layer_norm_kernel(random: np.random.Generator) -> Case:
    R, D = random.integers(1, 40, 2)
    x, gamma, beta = (_floats(random, rows, D, padded(D)) for rows in (R, 1, 1))
    return Case([x, gamma, beta, 1e-12, int(D), _dirty(R, padded(D))], (5,))


@_case
def gemm_kernel(random: np.random.Generator) -> Case:
    """``a`` without a pad: a K tail ends where the buffer ends."""
    M, N = random.integers(1, 70, 2)
    K = random.choice([*range(1, 40), 63, 64, 65, 127, 129, 300])
    b = random.standard_normal((K, N)).astype(np.float32)
    wide = padded(N)
    bias = _floats(random, int(random.integers(2)), N, wide)
    residual = _floats(random, int(random.integers(2)) * M, N, wide)
    sizes = [int(M), _floats(random, M, K), int(K), pack(b), int(N)]
    return Case([*sizes, bias, residual, _dirty(M, wide)], (7,))


@_case
def softmax_kernel(random: np.random.Generator) -> Case:
    R, T = random.integers(1, 40, 2)
    scores = _floats(random, R, T, padded(T))
    scores[:, T:] = np.nan  # whatever is there
    return Case([scores, int(T)], (0,))


@_case
def attention_kernel(random: np.random.Generator) -> Case:
    """Some sequences keep all their keys, some a few, some none."""
    B, N, rows = (int(n) for n in random.integers(1, 5, 3))
    H = int(random.integers(1, 40))
    lengths = random.integers(1, 40, B)
    row_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    R = int(row_starts[-1])
    kept = random.random(R) < np.repeat(random.choice([0.0, 0.5, 1.0], B), lengths)
    counts = np.add.reduceat(kept, row_starts[:-1]).astype(np.int64)
    key_starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    most = max(1, int(counts.max()))
    fused = bool(random.integers(2))
    seen = [_dirty(R, N, most) if random.integers(2) else _dirty(0, 0, 0) for _ in range(2)]
    scratch = [
        *(_dirty(rows, H), _dirty(rows, padded(most)), _dirty(rows, padded(H))),
        *(_dirty(padded(most) * H), _dirty(most * padded(H))),
    ]
    where = [row_starts, np.flatnonzero(kept).astype(np.int64), key_starts]
    where += [np.zeros(B, np.bool_), N, H, np.float32(H**-0.5), fused]
    arguments = [_floats(random, R, 3 * N * H), *where, *scratch, _dirty(R, N * H), *seen]
    return Case(arguments, tuple(range(9, 17)))


def _elementwise(random: np.random.Generator) -> Case:
    R, F = random.integers(1, 40, 2)
    return Case([_floats(random, R, F, padded(F)), _dirty(R, padded(F))], (1,))


for _name in ("gelu_approximate_kernel", "gelu_kernel", "tanh_kernel", "l2_normalize_kernel"):
    CASES[_name] = _elementwise


def _pool(random: np.random.Generator) -> Case:
    R, D, B = (int(n) for n in random.integers(1, 40, 3))
    starts = np.sort(random.integers(0, R + 1, B + 1)).astype(np.int64)
    return Case([_floats(random, R, D, padded(D)), starts, _dirty(B, padded(D))], (2,))


for _name in ("mean_pool_kernel", "max_pool_kernel"):
    CASES[_name] = _pool


def kernels() -> dict[str, Any]:
    """Every kernel of the registry by name."""
    from npbert.ops.registry import OPS

    return {kernel.name: kernel for op in OPS.values() for kernel in op.kernels}
