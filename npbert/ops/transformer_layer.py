"""Encoder layers as one kernel: the ops in BERT's order, shared between threads.

Their definition is the loop in `npbert.reference.forward`.
Source: keras_hub TransformerEncoder, ``call``.

Every thread calls `layers_kernel` with its own number. Between two ops all wait for each other;
what a thread does inside an op is its part of the columns, heads or rows, which decides no bit.
"""

from __future__ import annotations

from npbert.ops.attention import attention_kernel
from npbert.ops.layer_norm import layer_norm_kernel
from npbert.simd.barrier import wait_for_all
from npbert.simd.gemm import NO_ACTIVATION, gemm_kernel
from npbert.simd.kernel import inline, kernel

_MATRIX, _INDEX = "real[:, ::1]", "int64[::1]"
_DENSE = f"stored[:, ::1], {_MATRIX}"  # panels and bias of all layers
_NORM = f"{_MATRIX}, {_MATRIX}"  # gamma and beta


@kernel(
    "void(int64, int64, int64[::1], int64, int64,"
    " int64, int64, int64, float64, real, boolean, int64,"
    f" {', '.join([_MATRIX] * 5)},"  # x, qkv, context, hidden, wide
    f" {_DENSE}, {_DENSE}, {_NORM}, {_DENSE}, {_DENSE}, {_NORM},"
    f" {_INDEX}, {_INDEX}, {_INDEX}, boolean[::1],"
    f" {', '.join([_MATRIX] * 5)}, real[:, :, ::1])"
)
def layers_kernel(  # type: ignore[no-untyped-def]
    part, parts, state, first, last, N, H, F, epsilon, scale, fused, activation,
    x, qkv, context, hidden, wide,
    qkv_panels, qkv_bias, joined_panels, joined_bias, attention_gamma, attention_beta,
    inner_panels, inner_bias, outer_panels, outer_bias, output_gamma, output_beta,
    row_starts, keys, key_starts, uniform,
    query, scores, head, key_panels, value_panels, nothing,
):  # fmt: skip
    """``x`` goes through the layers ``first`` to ``last - 1``.  (R, D) -> (R, D)

    ``state`` is the barrier's. Then come what all layers share; buffers of R rows; the weights, as
    `npbert.engine.packed` lays them out; the plan; attention's scratch, of this thread alone.
    """
    D, rows, none = N * H, x.shape[0], query[:0]
    for i in range(first, last):
        one = slice(i, i + 1)
        # qkv = x @ [Wq Wk Wv] + b
        gemm_kernel(
            rows, x, D, qkv_panels[i], 3 * D, qkv_bias[one], none, NO_ACTIVATION, qkv, part, parts
        )
        if wait_for_all(state, parts):
            return
        attention_kernel(
            qkv, row_starts, keys, key_starts, uniform, N, H, scale, fused,
            query, scores, head, key_panels, value_panels, context, nothing, nothing, part, parts,
        )  # fmt: skip
        if wait_for_all(state, parts):
            return
        # hidden = context @ Wo + bo + x
        gemm_kernel(
            rows, context, D, joined_panels[i], D, joined_bias[one], x, NO_ACTIVATION, hidden,
            part, parts,
        )  # fmt: skip
        if wait_for_all(state, parts):
            return
        gamma, beta = attention_gamma[one], attention_beta[one]
        layer_norm_part(hidden, gamma, beta, epsilon, D, x, part, parts)
        if wait_for_all(state, parts):
            return
        # wide = gelu(x @ W1 + b1)
        gemm_kernel(
            rows, x, D, inner_panels[i], F, inner_bias[one], none, activation, wide, part, parts
        )
        if wait_for_all(state, parts):
            return
        # hidden = wide @ W2 + b2 + x
        gemm_kernel(
            rows, wide, F, outer_panels[i], D, outer_bias[one], x, NO_ACTIVATION, hidden,
            part, parts,
        )  # fmt: skip
        if wait_for_all(state, parts):
            return
        layer_norm_part(hidden, output_gamma[one], output_beta[one], epsilon, D, x, part, parts)
        if wait_for_all(state, parts):
            return


@inline
def layer_norm_part(x, gamma, beta, epsilon, columns, out, part, parts):  # type: ignore[no-untyped-def]
    """This thread's rows."""
    first, last = x.shape[0] * part // parts, x.shape[0] * (part + 1) // parts
    layer_norm_kernel(x[first:last], gamma, beta, epsilon, columns, out[first:last])
