"""``x @ kernel + bias``: the layer that most of BERT's time goes into.

Source: keras Dense and EinsumDense. The kernel is `npbert.simd.gemm`'s.
"""

from __future__ import annotations

from npbert.ops.types import Array
from npbert.simd.gemm import gemm_kernel

dense_kernel = gemm_kernel


def dense(x: Array, kernel: Array, bias: Array) -> Array:  # (..., K), (K, M), (M,) -> (..., M)
    """One weighted sum of the inputs per output feature."""
    return x @ kernel + bias


def dense_heads(x: Array, kernel: Array, bias: Array) -> Array:
    """A dense layer whose outputs are split over heads.  (B, T, D), (D, N, H) -> (B, T, N, H)"""
    D, N, H = kernel.shape
    return dense(x, kernel.reshape(D, N * H), bias.reshape(N * H)).reshape(*x.shape[:-1], N, H)


def join_heads(x: Array, kernel: Array, bias: Array) -> Array:
    """A dense layer over all heads' features.  (B, T, N, H), (N, H, D) -> (B, T, D)"""
    N, H, D = kernel.shape
    return dense(x.reshape(*x.shape[:-2], N * H), kernel.reshape(N * H, D), bias)
