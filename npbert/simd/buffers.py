"""Aligned memory for kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

ALIGNMENT = 64  # bytes: one cache line, one AVX-512 register
LANES = 16  # values in one vector, of 32 or 64 bits; also the unit to which rows are padded


def padded(columns: int) -> int:
    """The row length that holds ``columns`` values in whole vectors."""
    return -(-columns // LANES) * LANES


def empty(*shape: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """An uninitialised C-contiguous array that starts on a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return np.ndarray(shape, dtype, raw, start)


def zeros(*shape: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Like `empty`, filled with zeros."""
    out = empty(*shape, dtype=dtype)
    out.fill(0)
    return out


def pad_columns(x: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Copy ``x`` into aligned memory, its last axis padded with zeros to whole vectors.

    Args:
        x: (..., columns)
        dtype: of the copy; else float64 stays what it is, and all else becomes float32.
    """
    kept = np.float64 if x.dtype == np.float64 else np.float32
    out = zeros(*x.shape[:-1], padded(x.shape[-1]), dtype=dtype or kept)
    out[..., : x.shape[-1]] = x
    return out
