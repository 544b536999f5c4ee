"""Every op once: its definition, and its kernel behind the same signature.

Tests, benchmarks and notebooks go through this table. A ``compiled`` function takes what the
definition takes and ``precision``, copies it into the padded, aligned buffers that a kernel wants,
rounded as that precision has it, and returns what the definition returns; the engine, which has
such buffers, calls the kernels.
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
from npbert.simd import buffers
from npbert.simd.buffers import pad_columns, padded
from npbert.simd.kernel import Kernel
from npbert.simd.precision import FLOAT32, Precision


class Op(NamedTuple):
    """One op of BERT."""

    definition: Callable[..., Any]
    compiled: Callable[..., Any]
    kernels: tuple[Kernel, ...]


Compiled = Callable[..., Array]


def _rows(x: Array, precision: Precision) -> Array:
    """(..., D) -> aligned (R, padded D), in the dtype that is computed in."""
    return pad_columns(x.reshape(-1, x.shape[-1]), precision.real)


def _activations(x: Array, precision: Precision) -> Array:
    """The same, of what an op before may have computed: rounded where every op's results are."""
    return _rows(precision.weights(x) if precision.rounded else x, precision)


def _empty(rows: int, columns: int, precision: Precision) -> Array:
    return buffers.empty(rows, padded(columns), dtype=precision.real)


def _elementwise(kernel: Kernel) -> Compiled:
    def compiled(x: Array, *, precision: Precision = FLOAT32) -> Array:
        wide = _activations(x, precision)
        kernel[precision](wide, wide)
        return wide[:, : x.shape[-1]].reshape(x.shape)

    return compiled


def _table(table: Array, precision: Precision) -> Array:
    """(V, D) -> (V, padded D), as it is stored."""
    return pad_columns(precision.bits(table), precision.stored_dtype)


def _lookup(table: Array, ids: IntArray, *, precision: Precision = FLOAT32) -> Array:
    out = _empty(ids.size, table.shape[1], precision)
    rows = np.ascontiguousarray(ids, np.int32).reshape(-1)
    embedding.lookup_kernel[precision](rows, _table(table, precision), out)
    return out[:, : table.shape[1]].reshape(*ids.shape, table.shape[1])


def _add_embeddings(
    token: Array, position: Array, segment: Array, *, precision: Precision = FLOAT32
) -> Array:
    tables = [_table(_flat(x), precision) for x in (token, position, segment)]
    ids = np.arange(len(tables[0]), dtype=np.int32)
    out = _empty(ids.size, token.shape[-1], precision)
    embedding.embedding_kernel[precision](ids, ids, ids, *tables, out)
    return out[:, : token.shape[-1]].reshape(token.shape)


def _layer_norm(
    x: Array, gamma: Array, beta: Array, *, epsilon: float, precision: Precision = FLOAT32
) -> Array:
    wide = _activations(x, precision)
    scale, shift = _rows(gamma, precision), _rows(beta, precision)
    layer_norm.layer_norm_kernel[precision](wide, scale, shift, epsilon, x.shape[-1], wide)
    return wide[:, : x.shape[-1]].reshape(x.shape)


def _dense(x: Array, kernel: Array, bias: Array, *, precision: Precision = FLOAT32) -> Array:
    packed = dense_op.PackedDense(kernel, bias, precision=precision)
    columns = kernel.shape[1]
    return packed(_activations(x, precision))[:, :columns].reshape(*x.shape[:-1], columns)


def _softmax(scores: Array, kept: IntArray, *, precision: Precision = FLOAT32) -> Array:
    """The kernel sees kept keys only, moved together; here one row at a time."""
    out = np.zeros(scores.shape, precision.real)
    for row, mask, result in zip(_flat(scores), _flat(kept), _flat(out), strict=True):
        if mask.any():
            wide = _rows(row[mask], precision)
            softmax.softmax_kernel[precision](wide, int(mask.sum()))
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
    precision: Precision = FLOAT32,
) -> Attention:
    B, T, N, H = query.shape
    real, D = precision.real_dtype, N * H
    joined = np.concatenate([x.reshape(B, T, D) for x in (query, key, value)], axis=-1)
    qkv = _activations(joined, precision)
    starts = np.arange(B + 1, dtype=np.int64) * T
    kept = np.asarray(padding_mask) != 0
    uniform = ~kept.any(axis=1) & fused
    kept = kept | uniform[:, None]
    key_starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    everything, no_scores = np.arange(B * T, dtype=np.int64), np.zeros((0, 0, 0), real)
    factor = np.array(1 / math.sqrt(H) if scale is None else scale, real)
    if precision.rounded and not fused:  # Keras casts it, and multiplies the query by it
        factor = precision.weights(factor)
    scratch = (7, H), (7, T), (7, H), (1, padded(T) * H), (1, T * padded(H))
    buffer = [_empty(*shape, precision) for shape in scratch]
    context = _empty(B * T, D, precision)
    scores, probs = np.zeros((B * T, N, T), real), np.zeros((B * T, N, T), real)

    def run(keys: IntArray, key_starts: IntArray, uniform: IntArray, *seen: Array) -> None:
        where = (starts, keys, key_starts, uniform, N, H, factor[()], fused)
        attention_op.attention_kernel[precision](qkv, *where, *buffer, context, *seen, 0, 1)

    run(everything, starts, np.zeros(B, np.bool_), scores, no_scores)
    run(np.flatnonzero(kept), key_starts, uniform, no_scores, probs)
    spread = np.zeros((B, T, N, T), real)
    for b in range(B):
        count = int(kept[b].sum())
        spread[b][:, :, kept[b]] = probs.reshape(B, T, N, T)[b, :, :, :count]
    return Attention(
        scores.reshape(B, T, N, T).swapaxes(1, 2),
        spread.swapaxes(1, 2),
        context[:, :D].reshape(B, T, N, H),
    )


def _pool(mode: str) -> Compiled:
    def compiled(
        tokens: Array, starts: IntArray, skip: int = 0, *, precision: Precision = FLOAT32
    ) -> Array:
        rows, starts = _activations(tokens, precision), np.ascontiguousarray(starts, np.int64)
        out = _empty(len(starts) - 1, tokens.shape[1], precision)
        pooling.pool(mode, rows, starts, out, skip, precision)
        return out[:, : tokens.shape[1]].copy()

    return compiled


def _distances(order: int) -> Compiled:
    def compiled(a: Array, b: Array, *, precision: Precision = FLOAT32) -> Array:
        out = buffers.empty(len(a), len(b), dtype=precision.real)
        rows = _activations(a, precision), _activations(b, precision)
        similarity_op.distance_kernel[precision](*rows, order, False, out)
        return out

    return compiled


def _row_dot(a: Array, b: Array, *, precision: Precision = FLOAT32) -> Array:
    out = np.empty(len(a), precision.real)
    rows = _activations(a, precision), _activations(b, precision)
    similarity_op.row_dot_kernel[precision](*rows, a.shape[1], out)
    return out


def _pooler(
    sequence: Array, kernel: Array, bias: Array, *, precision: Precision = FLOAT32
) -> Array:
    inner = _dense(sequence[:, 0], kernel, bias, precision=precision)
    return _elementwise(pooler.tanh_kernel)(inner, precision=precision)


def _projection(
    x: Array, kernel: Array, bias: Array, *, activation: str, precision: Precision = FLOAT32
) -> Array:
    project = projection.Projection(kernel, bias, activation, precision)
    return project(_activations(x, precision))[:, : kernel.shape[1]]


def _classifier_head(
    pooled: Array, kernel: Array, bias: Array, *, activation: str, precision: Precision = FLOAT32
) -> Array:
    head = heads.ClassifierHead(kernel, bias, activation, precision)
    return head(_activations(pooled, precision))


def _masked_lm_head(
    hidden: Array,
    kernel: Array,
    bias: Array,
    gamma: Array,
    beta: Array,
    table: Array,
    output_bias: Array,
    *,
    precision: Precision = FLOAT32,
    **options: Any,
) -> Array:
    weights = kernel, bias, gamma, beta, output_bias
    head = heads.MaskedLMHead(*weights, **options, precision=precision)
    embedding = TokenEmbedding(_table(table, precision), table.shape[1], precision)
    return head(_activations(hidden, precision), embedding)


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
