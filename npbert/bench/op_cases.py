"""Inputs for every op of the registry at a model's sizes, and what each op has to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.ops.registry import OPS

F32 = NDArray[np.float32]
_FLOAT: Final = 4  # bytes

WHOLE: Final = "the whole pass"
QKV, ATTENTION, JOINED = "query, key, value", "attention", "attention output + residual"
NORM, INNER, GELU, OUTER = "layer norm", "intermediate", "GELU, by itself", "output + residual"
LAYER: Final = (QKV, ATTENTION, JOINED, NORM, INNER, GELU, OUTER, NORM)
EMBEDDINGS: Final = ("embeddings", NORM)
POOLER: Final = ("pooler", "pooler")
"""A product over one row a text, which `npbert.bench.works.flops` leaves out, and tanh."""


class Case(NamedTuple):
    """One op on one set of inputs; ``bytes`` is what it must read and write at least."""

    op: str
    shape: str
    run: Callable[[], object]
    flops: int = 0
    bytes: int = 0


def cases(config: BertConfig, batch: int, tokens: int) -> Iterator[Case]:
    """Every op of `OPS`, in its order; ``dense`` four times, as BERT has it."""
    random = np.random.default_rng(0)
    for name in OPS:
        yield from _MAKE[name](name, config, batch, tokens, random)


def _normal(random: np.random.Generator, *shape: int) -> F32:
    return random.standard_normal(shape, np.float32)


def _case(op: str, shape: str, arguments: Sequence[Any], flops: int = 0, size: int = 0) -> Case:
    return Case(op, shape, partial(OPS[op].compiled, *arguments), flops, size)


def _dense(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    D, F, R = config.hidden_dim, config.intermediate_dim, B * T
    for K, M in ((D, 3 * D), (D, D), (D, F), (F, D)):
        arguments = _normal(random, R, K), _normal(random, K, M), _normal(random, M)
        yield _case(op, f"({R}, {K}) @ ({K}, {M})", arguments, flops=2 * R * K * M)


def _rows(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    """Ops that read and write every number of (B, T, D)."""
    D, F = config.hidden_dim, config.intermediate_dim
    width = F if op.startswith("gelu") else D
    x = _normal(random, B, T, width)
    yield _case(op, f"({B * T}, {width})", (x,), size=2 * x.nbytes)


def _layer_norm(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    x, gamma, beta = (_normal(random, *s, config.hidden_dim) for s in ((B, T), (), ()))
    run = partial(OPS[op].compiled, x, gamma, beta, epsilon=config.layer_norm_epsilon)
    yield Case(op, f"({B * T}, {config.hidden_dim})", run, bytes=2 * x.nbytes)


def _lookup(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    D, V = config.hidden_dim, config.vocabulary_size
    ids = random.integers(0, V, (B, T)).astype(np.int32)
    size = 2 * B * T * D * _FLOAT
    yield _case(op, f"({B * T},) of ({V}, {D})", (_normal(random, V, D), ids), size=size)


def _add(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    tables = [_normal(random, B, T, config.hidden_dim) for _ in range(3)]
    yield _case(op, f"3 x ({B * T}, {config.hidden_dim})", tables, size=4 * tables[0].nbytes)


def _softmax(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    """One sequence's scores of all heads, as one matrix: the op itself takes a row at a time."""
    from npbert.ops.softmax import softmax_kernel
    from npbert.simd.buffers import pad_columns

    scores = _normal(random, config.num_heads * T, T)
    wide = pad_columns(scores)
    yield Case(op, str(scores.shape), lambda: softmax_kernel(wide, T), bytes=2 * scores.nbytes)


def _attention(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    """Left to the profile: the registry's runs with less scratch memory than the engine's."""
    return iter(())


def _pooler(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    D = config.hidden_dim
    arguments = _normal(random, B, T, D), _normal(random, D, D), _normal(random, D)
    yield _case(op, f"({B}, {D}) @ ({D}, {D})", arguments, flops=2 * B * D * D)


def _pool(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    tokens = _normal(random, B * T, config.hidden_dim)
    starts = np.arange(B + 1, dtype=np.int64) * T
    shape = f"({B * T}, {config.hidden_dim}) -> {B} rows"
    yield _case(op, shape, (tokens, starts), size=tokens.nbytes)


def _normalize(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    x = _normal(random, B * T, config.hidden_dim)
    yield _case(op, str(x.shape), (x,), size=2 * x.nbytes)


def _projection(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    D = config.hidden_dim
    arguments = _normal(random, B, D), _normal(random, D, D), _normal(random, D)
    run = partial(OPS[op].compiled, *arguments, activation="tanh")
    yield Case(op, f"({B}, {D}) @ ({D}, {D})", run, flops=2 * B * D * D)


def _classifier_head(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    D, C = config.hidden_dim, 3
    arguments = _normal(random, B, D), _normal(random, D, C), _normal(random, C)
    run = partial(OPS[op].compiled, *arguments, activation="softmax")
    yield Case(op, f"({B}, {D}) @ ({D}, {C})", run, flops=2 * B * D * C)


def _masked_lm_head(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    """One masked token a sequence."""
    D, V = config.hidden_dim, config.vocabulary_size
    arguments = [_normal(random, *shape) for shape in ((B, D), (D, D), (D,), (D,), (D,), (V, D))]
    run = partial(OPS[op].compiled, *arguments, _normal(random, V), activation="gelu", epsilon=1e-5)
    yield Case(op, f"({B}, {D}) @ ({D}, {V})", run, flops=2 * B * D * (D + V))


def _pairs(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    a, b = _normal(random, B, config.hidden_dim), _normal(random, T, config.hidden_dim)
    yield _case(op, f"{a.shape}, {b.shape}", (a, b), flops=3 * B * T * config.hidden_dim)


def _row_pairs(op: str, config: BertConfig, B: int, T: int, random: Any) -> Iterator[Case]:
    a, b = (_normal(random, B * T, config.hidden_dim) for _ in range(2))
    yield _case(op, str(a.shape), (a, b), size=2 * a.nbytes)


_MAKE: Final = {
    "lookup": _lookup,
    "add_embeddings": _add,
    "layer_norm": _layer_norm,
    "dense": _dense,
    "softmax": _softmax,
    "attention": _attention,
    "gelu_approximate": _rows,
    "gelu": _rows,
    "tanh": _rows,
    "pooler": _pooler,
    "mean_pool": _pool,
    "mean_sqrt_len_pool": _pool,
    "weighted_mean_pool": _pool,
    "max_pool": _pool,
    "l2_normalize": _normalize,
    "euclidean": _pairs,
    "manhattan": _pairs,
    "row_dot": _row_pairs,
    "relu": _rows,
    "sigmoid": _rows,
    "projection": _projection,
    "classifier_head": _classifier_head,
    "masked_lm_head": _masked_lm_head,
}


def step_names(num_layers: int, kernels: Sequence[str]) -> list[str]:
    """What each call of a traced pass does; by the kernel's name where the order is another."""
    names = [*EMBEDDINGS, *LAYER * num_layers, *POOLER]
    return names if len(names) == len(kernels) else list(kernels)


def step_flops(config: BertConfig, batch: int, tokens: int) -> dict[str, int]:
    """Step -> operations in one pass: the products; `WHOLE` has all of them."""
    D, F, R, L = config.hidden_dim, config.intermediate_dim, batch * tokens, config.num_layers
    each = {
        QKV: 6 * L * R * D * D,
        ATTENTION: 4 * L * R * tokens * D,
        JOINED: 2 * L * R * D * D,
        INNER: 2 * L * R * D * F,
        OUTER: 2 * L * R * D * F,
    }
    return {**each, WHOLE: sum(each.values())}
