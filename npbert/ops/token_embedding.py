"""The token table as a layer of its own, forward and in reverse.

Source: keras.layers.ReversibleEmbedding with tied weights, as ``BertBackbone.token_embedding``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.errors import InputError, InputTypeError
from npbert.ops.dense import dense_kernel
from npbert.ops.embedding import lookup_kernel
from npbert.simd import buffers, gemm

# Tokens of the vocabulary and vectors multiplied at once: their products stay in a cache.
_CHUNK, _VECTORS = 1024, 256


class TokenEmbedding:
    """Ids to vectors, or vectors to one score for every token of the vocabulary."""

    def __init__(self, table: NDArray[np.float32], columns: int) -> None:
        self._table, self._columns = table, columns

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """A copy of the table, (V, D)."""
        return self._table[:, : self._columns].copy()

    def __call__(self, inputs: ArrayLike, reverse: bool = False) -> NDArray[np.float32]:
        """Ids (...) -> (..., D); in reverse, vectors (..., D) -> logits (..., V).

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
        return self._logits(array) if reverse else self._vectors(array)

    def _vectors(self, ids: NDArray[np.generic]) -> NDArray[np.float32]:
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
        out = buffers.empty(ids.size, self._table.shape[1])
        # A copy: a kernel takes no read-only array, and JAX gives no other.
        lookup_kernel(np.array(ids, np.int32).reshape(-1), self._table, out)
        return out[:, : self._columns].reshape(*ids.shape, self._columns)

    def _logits(self, vectors: NDArray[np.generic]) -> NDArray[np.float32]:
        D, V = self._columns, len(self._table)
        if vectors.ndim == 0 or vectors.shape[-1] != D or vectors.dtype.kind != "f":
            raise InputError(
                "token_embedding in reverse takes vectors as wide as the table.",
                received=f"shape {vectors.shape}, dtype {vectors.dtype}",
                expected=f"floats (..., {D})",
            )
        x = vectors.reshape(-1, D).astype(np.float32)
        out, none = np.empty((len(x), V), np.float32), np.empty((0, 0), np.float32)
        # The table lies as a kernel reads rows, so the few vectors are packed, and not the table:
        # the product is (table @ vectors.T).T, whose every element is the same chain.
        for top in range(0, len(x), _VECTORS):
            part = x[top : top + _VECTORS]
            panels, count = gemm.pack(part.T), len(part)
            scores = buffers.empty(_CHUNK, buffers.padded(count))
            for start in range(0, V, _CHUNK):
                rows = self._table[start : start + _CHUNK]
                shape = (len(rows), rows, D, panels, count)
                dense_kernel(*shape, none, none, gemm.NO_ACTIVATION, scores, 0, 1)
                logits = scores[: len(rows), :count].T  # (M, chunk)
                out[top : top + count, start : start + len(rows)] = logits
        return out.reshape(*vectors.shape[:-1], V)
