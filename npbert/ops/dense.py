"""``x @ kernel + bias``: the layer that most of BERT's time goes into.

Source: keras Dense and EinsumDense. The kernel is `npbert.simd.gemm`'s.
"""

from __future__ import annotations

from npbert.ops.types import Array
from npbert.simd import buffers, gemm, panels
from npbert.simd.gemm import gemm_kernel
from npbert.simd.precision import FLOAT32, Precision

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


class PackedDense:
    """A dense layer with its weights as the kernel reads them.

    Args:
        kernel: (K, M); rounded to what the precision stores.
        bias: (M,); the same.
        activation: `npbert.simd.gemm.NO_ACTIVATION`, ``GELU`` or ``GELU_APPROXIMATE``.
        precision: what it computes in.
    """

    def __init__(
        self,
        kernel: Array,
        bias: Array,
        activation: int = gemm.NO_ACTIVATION,
        precision: Precision = FLOAT32,
    ) -> None:
        self.depth, self.columns = kernel.shape
        self._panels = panels.pack(kernel, precision=precision)
        self._bias = buffers.pad_columns(precision.weights(bias)[None])
        self._activation, self._precision = activation, precision

    def __reduce__(self) -> tuple[object, ...]:
        """Copies and pickles carry plain tensors: packed ones must lie on cache lines."""
        kernel = panels.unpack(self._panels, self.depth, self.columns, self._precision)
        bias = self._bias[0, : self.columns]
        return PackedDense, (kernel, bias, self._activation, self._precision)

    def __call__(self, x: Array) -> Array:
        """(R, >= K) -> (R, padded M); columns past M are zeros."""
        out = buffers.empty(len(x), buffers.padded(self.columns), dtype=self._precision.real)
        weights = (self.depth, self._panels, self.columns, self._bias)
        gemm_kernel[self._precision](len(x), x, *weights, out[:0], self._activation, out, 0, 1)
        return out
