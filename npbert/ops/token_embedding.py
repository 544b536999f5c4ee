"""The token table as a layer of its own, forward and in reverse.

Source: keras.layers.ReversibleEmbedding with tied weights, as ``BertBackbone.token_embedding``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.errors import InputError, InputTypeError
from npbert.ops.embedding import lookup_kernel
from npbert.ops.types import Array, IntArray
from npbert.simd import buffers, gemm, panels
from npbert.simd.gemm import product_kernel
from npbert.simd.kernel import Kernel, PlainKernel
from npbert.simd.precision import FLOAT32, Precision

# Tokens of the vocabulary and vectors multiplied at once: their products stay in a cache.
_CHUNK, _VECTORS = 1024, 256


class TokenEmbedding:
    """Ids to vectors, or vectors to one score for every token of the vocabulary.

    Args:
        table: (V, padded D), as the precision stores it.
        columns: D.
        precision: what it computes in.
        variable: (V, D), what the table was rounded from; None where it is the table itself.
    """

    kernels: tuple[Kernel | PlainKernel, ...] = (lookup_kernel, product_kernel)

    def __init__(
        self,
        table: Array,
        columns: int,
        precision: Precision = FLOAT32,
        variable: Array | None = None,
    ) -> None:
        self._table, self._columns, self._precision = table, columns, precision
        self._variable = variable

    @classmethod
    def of(cls, variable: Array, precision: Precision) -> TokenEmbedding:
        """Of (V, D), which is rounded to what the precision stores."""
        table = buffers.pad_columns(precision.bits(variable), precision.stored_dtype)
        return cls(table, variable.shape[1], precision)

    @property
    def embeddings(self) -> Array:
        """A copy of the table, (V, D), in the dtype that the model keeps it in."""
        if self._variable is not None:
            return self._variable.copy()
        return self._precision.numbers(self._table[:, : self._columns].copy())

    def __call__(self, inputs: ArrayLike, reverse: bool = False) -> Array:
        """Ids (...) -> (..., D); in reverse, vectors (..., D) -> logits (..., V).

        Both in the dtype that the model computes in.

        Raises:
            InputError, InputTypeError: ids out of range or not integers, vectors of another width.
        """
        try:
            array = np.asarray(inputs)
        except ValueError as error:
            raise InputTypeError(
                "token_embedding takes an array.",
                received=str(error),
                expected="nested lists of equal lengths, or an array",
            ) from error
        found = self._logits(array) if reverse else self._vectors(array)
        precision = self._precision
        return precision.numbers(precision.bits(found)) if precision.rounded else found

    def _vectors(self, ids: NDArray[np.generic]) -> Array:
        V = len(self._table)
        if ids.dtype.kind not in "iu":
            raise InputTypeError(
                "token_embedding takes integer ids.",
                received=f"dtype {ids.dtype}",
                fix="pass reverse=True to turn vectors into logits",
            )
        if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= V):
            raise InputError(
                "token_embedding got an id out of range.",
                received=f"ids from {ids.min()} to {ids.max()}",
                expected=f"0 <= id < {V}",
            )
        # A copy: a kernel takes no read-only array, and JAX gives no other.
        out = self._rows(np.array(ids, np.int32).reshape(-1))
        return out[:, : self._columns].reshape(*ids.shape, self._columns)

    def _rows(self, ids: IntArray) -> Array:
        """(R,) -> (R, padded D)"""
        out = buffers.empty(len(ids), self._table.shape[1], dtype=self._precision.real)
        lookup_kernel[self._precision](ids, self._table, out)
        return out

    def _logits(self, vectors: NDArray[np.generic]) -> Array:
        D, V = self._columns, len(self._table)
        real = vectors.dtype.kind == "f" or vectors.dtype.name == "bfloat16"
        if vectors.ndim == 0 or vectors.shape[-1] != D or not real:
            raise InputError(
                "token_embedding in reverse takes vectors as wide as the table.",
                received=f"shape {vectors.shape}, dtype {vectors.dtype}",
                expected=f"floats (..., {D})",
            )
        return self.scores(vectors.reshape(-1, D)).reshape(*vectors.shape[:-1], V)

    def scores(self, vectors: Array) -> Array:
        """(M, D) -> (M, V): the logits before they are rounded.

        The table lies as a kernel reads rows, so the few vectors are packed, and not the table: the
        product is (table @ vectors.T).T, whose every element is the same chain.
        """
        precision, V = self._precision, len(self._table)
        x = vectors.astype(precision.real)
        out, none = np.empty((len(x), V), x.dtype), np.empty((0, 0), x.dtype)
        for top in range(0, len(x), _VECTORS):
            part = x[top : top + _VECTORS]
            packed, count = panels.pack(part.T, precision=precision.plain), len(part)
            scores = buffers.empty(_CHUNK, buffers.padded(count), dtype=x.dtype)
            for start in range(0, V, _CHUNK):
                rows = self._widened(start, min(start + _CHUNK, V))
                shape = (len(rows), rows, self._columns, packed, count)
                product_kernel[precision](*shape, none, none, gemm.NO_ACTIVATION, scores, 0, 1)
                logits = scores[: len(rows), :count].T  # (M, chunk)
                out[top : top + count, start : start + len(rows)] = logits
        return out

    def _widened(self, start: int, stop: int) -> Array:
        """Rows of the table as numbers to compute with: of all of them, there is no such copy."""
        if self._precision.widens:
            return self._rows(np.arange(start, stop, dtype=np.int32))
        return self._table[start:stop]
