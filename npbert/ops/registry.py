"""Every op once: its definition, and its kernel behind the same signature.

Tests, benchmarks and notebooks go through this table. A ``compiled`` function takes what the
definition takes, copies it into the padded, aligned float32 buffers that a kernel wants, and
returns what the definition returns; the engine, which has such buffers, calls the kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from npbert.ops import attention as attention_op
from npbert.ops import dense as dense_op
from npbert.ops import (
    embedding,
    gelu,
    heads,
    layer_norm,
    pooler,
    pooling,
    projection,
    relu,
    sigmoid,
    softmax,
)
from npbert.ops import similarity as similarity_op
from npbert.ops.attention import Attention
from npbert.ops.token_embedding import TokenEmbedding
from npbert.ops.types import Array, IntArray
from npbert.simd import buffers, gemm
from npbert.simd.buffers import pad_columns, padded
from npbert.simd.kernel import Kernel


class Op(NamedTuple):
    """One op of BERT."""

    definition: Callable[..., Any]
    compiled: Callable[..., Any]
    kernels: tuple[Kernel, ...]


def _rows(x: Array) -> Array:
    """(..., D) -> aligned (R, padded D)."""
    return pad_columns(np.asarray(x, np.float32).reshape(-1, x.shape[-1]))


def _elementwise(kernel: Kernel) -> Callable[[Array], Array]:
    def compiled(x: Array) -> Array:
        wide = _rows(x)
        kernel(wide, wide)
        return wide[:, : x.shape[-1]].reshape(x.shape)

    return compiled


def _lookup(table: Array, ids: IntArray) -> Array:
    out = buffers.empty(ids.size, padded(table.shape[1]))
    embedding.lookup_kernel(np.ascontiguousarray(ids, np.int32).reshape(-1), _rows(table), out)
    return out[:, : table.shape[1]].reshape(*ids.shape, table.shape[1])


def _add_embeddings(token: Array, position: Array, segment: Array) -> Array:
    tables = [_rows(x) for x in (token, position, segment)]
    out = buffers.empty(*tables[0].shape)
    ids = np.arange(len(out), dtype=np.int32)
    embedding.embedding_kernel(ids, ids, ids, *tables, out)
    return out[:, : token.shape[-1]].reshape(token.shape)


def _layer_norm(x: Array, gamma: Array, beta: Array, *, epsilon: float) -> Array:
    wide = _rows(x)
    scale, shift = _rows(gamma), _rows(beta)
    layer_norm.layer_norm_kernel(wide, scale, shift, epsilon, x.shape[-1], wide)
    return wide[:, : x.shape[-1]].reshape(x.shape)


def _dense(x: Array, kernel: Array, bias: Array) -> Array:
    depth, columns = kernel.shape
    wide, panels = _rows(x), gemm.pack(np.asarray(kernel, np.float32))
    out, nothing = buffers.empty(len(wide), padded(columns)), buffers.empty(0, 0)
    shape = (len(wide), wide, depth, panels, columns)
    dense_op.dense_kernel(*shape, _rows(bias), nothing, gemm.NO_ACTIVATION, out, 0, 1)
    return out[:, :columns].reshape(*x.shape[:-1], columns)


def _softmax(scores: Array, kept: IntArray) -> Array:
    """The kernel sees kept keys only, moved together; here one row at a time."""
    out = np.zeros(scores.shape, np.float32)
    for row, mask, result in zip(_flat(scores), _flat(kept), _flat(out), strict=True):
        if mask.any():
            wide = _rows(row[mask])
            softmax.softmax_kernel(wide, int(mask.sum()))
            result[mask] = wide[0, : mask.sum()]
    return out


def _flat(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _attention(
    query: Array,
    key: Array,
    value: Array,
    padding_mask: IntArray,
    *,
    fused: bool,
    scale: float | None = None,
) -> Attention:
    B, T, N, H = query.shape
    qkv = _rows(np.concatenate([x.reshape(B, T, N * H) for x in (query, key, value)], axis=-1))
    starts = np.arange(B + 1, dtype=np.int64) * T
    kept = np.asarray(padding_mask) != 0
    uniform = ~kept.any(axis=1) & fused
    kept = kept | uniform[:, None]
    key_starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    everything, no_scores = np.arange(B * T, dtype=np.int64), np.zeros((0, 0, 0), np.float32)
    factor = np.float32(1 / math.sqrt(H) if scale is None else scale)
    scratch = (7, padded(H)), (7, padded(T)), (7, padded(H)), (1, padded(T) * H), (1, T * padded(H))
    buffer = [buffers.empty(*shape) for shape in scratch]
    context = buffers.empty(B * T, padded(N * H))
    scores, probs = np.zeros((B * T, N, T), np.float32), np.zeros((B * T, N, T), np.float32)

    def run(keys: IntArray, key_starts: IntArray, uniform: IntArray, *seen: Array) -> None:
        where = (starts, keys, key_starts, uniform, N, H, factor, fused)
        attention_op.attention_kernel(qkv, *where, *buffer, context, *seen, 0, 1)

    run(everything, starts, np.zeros(B, np.bool_), scores, no_scores)
    run(np.flatnonzero(kept), key_starts, uniform, no_scores, probs)
    spread = np.zeros((B, T, N, T), np.float32)
    for b in range(B):
        count = int(kept[b].sum())
        spread[b][:, :, kept[b]] = probs.reshape(B, T, N, T)[b, :, :, :count]
    return Attention(
        scores.reshape(B, T, N, T).swapaxes(1, 2),
        spread.swapaxes(1, 2),
        context[:, : N * H].reshape(B, T, N, H),
    )


def _pool(mode: str) -> Callable[..., Array]:
    def compiled(tokens: Array, starts: IntArray, skip: int = 0) -> Array:
        out = buffers.empty(len(starts) - 1, padded(tokens.shape[1]))
        pooling.pool(mode, _rows(tokens), np.ascontiguousarray(starts, np.int64), out, skip)
        return out[:, : tokens.shape[1]].copy()

    return compiled


def _distances(order: int) -> Callable[[Array, Array], Array]:
    def compiled(a: Array, b: Array) -> Array:
        out = buffers.empty(len(a), len(b))
        similarity_op.distance_kernel(_rows(a), _rows(b), order, False, out)
        return out

    return compiled


def _row_dot(a: Array, b: Array) -> Array:
    out = np.empty(len(a), np.float32)
    similarity_op.row_dot_kernel(_rows(a), _rows(b), a.shape[1], out)
    return out


def _pooler(sequence: Array, kernel: Array, bias: Array) -> Array:
    return _elementwise(pooler.tanh_kernel)(_dense(sequence[:, 0], kernel, bias))


def _projection(x: Array, kernel: Array, bias: Array, *, activation: str) -> Array:
    return projection.Projection(kernel, bias, activation)(_rows(x))[:, : kernel.shape[1]]


def _classifier_head(pooled: Array, kernel: Array, bias: Array, *, activation: str) -> Array:
    return heads.ClassifierHead(kernel, bias, activation)(_rows(pooled))


def _masked_lm_head(
    hidden: Array,
    kernel: Array,
    bias: Array,
    gamma: Array,
    beta: Array,
    table: Array,
    output_bias: Array,
    **options: Any,
) -> Array:
    head = heads.MaskedLMHead(kernel, bias, gamma, beta, output_bias, **options)
    return head(_rows(hidden), TokenEmbedding(_rows(table), table.shape[1]))


OPS: Final[dict[str, Op]] = {
    "lookup": Op(embedding.lookup, _lookup, (embedding.lookup_kernel,)),
    "add_embeddings": Op(embedding.add_embeddings, _add_embeddings, (embedding.embedding_kernel,)),
    "layer_norm": Op(layer_norm.layer_norm, _layer_norm, (layer_norm.layer_norm_kernel,)),
    "dense": Op(dense_op.dense, _dense, (dense_op.dense_kernel,)),
    "softmax": Op(softmax.softmax, _softmax, (softmax.softmax_kernel,)),
    "attention": Op(attention_op.attention, _attention, (attention_op.attention_kernel,)),
    "gelu_approximate": Op(
        gelu.gelu_approximate,
        _elementwise(gelu.gelu_approximate_kernel),
        (gelu.gelu_approximate_kernel,),
    ),
    "gelu": Op(gelu.gelu, _elementwise(gelu.gelu_kernel), (gelu.gelu_kernel,)),
    "tanh": Op(np.tanh, _elementwise(pooler.tanh_kernel), (pooler.tanh_kernel,)),
    "pooler": Op(pooler.pooler, _pooler, (dense_op.dense_kernel, pooler.tanh_kernel)),
    "mean_pool": Op(pooling.mean_pool, _pool("mean"), (pooling.sum_pool_kernel,)),
    "mean_sqrt_len_pool": Op(
        pooling.mean_sqrt_len_pool, _pool("mean_sqrt_len_tokens"), (pooling.sum_pool_kernel,)
    ),
    "weighted_mean_pool": Op(
        pooling.weighted_mean_pool, _pool("weightedmean"), (pooling.sum_pool_kernel,)
    ),
    "max_pool": Op(pooling.max_pool, _pool("max"), (pooling.max_pool_kernel,)),
    "l2_normalize": Op(
        pooling.l2_normalize,
        _elementwise(pooling.l2_normalize_kernel),
        (pooling.l2_normalize_kernel,),
    ),
    "euclidean": Op(
        similarity_op.euclidean,
        _distances(similarity_op.EUCLIDEAN),
        (similarity_op.distance_kernel,),
    ),
    "manhattan": Op(
        similarity_op.manhattan,
        _distances(similarity_op.MANHATTAN),
        (similarity_op.distance_kernel,),
    ),
    "row_dot": Op(similarity_op.row_dot, _row_dot, (similarity_op.row_dot_kernel,)),
    "relu": Op(relu.relu, _elementwise(relu.relu_kernel), (relu.relu_kernel,)),
    "sigmoid": Op(sigmoid.sigmoid, _elementwise(sigmoid.sigmoid_kernel), (sigmoid.sigmoid_kernel,)),
    "projection": Op(projection.projection, _projection, projection.Projection.kernels),
    "classifier_head": Op(heads.classifier_head, _classifier_head, heads.ClassifierHead.kernels),
    "masked_lm_head": Op(heads.masked_lm_head, _masked_lm_head, heads.MaskedLMHead.kernels),
}
"""Name -> op, in the order in which a text meets them."""
