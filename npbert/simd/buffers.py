"""Aligned memory for kernels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64  # bytes: one cache line, one AVX-512 register
LANES = 16  # float32 values in one vector; also the unit to which rows are padded


def padded(columns: int) -> int:
    """The row length that holds ``columns`` values in whole vectors."""
    return -(-columns // LANES) * LANES


def empty(*shape: int, dtype: type = np.float32) -> NDArray[np.float32]:
    """An uninitialised C-contiguous array that starts on a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return np.ndarray(shape, dtype, raw, start)


def zeros(*shape: int, dtype: type = np.float32) -> NDArray[np.float32]:
    """Like `empty`, filled with zeros."""
    out = empty(*shape, dtype=dtype)
    out.fill(0)
    return out


def pad_columns(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Copy ``x`` into aligned memory, its last axis padded with zeros to whole vectors."""
    out = zeros(*x.shape[:-1], padded(x.shape[-1]))
    out[..., : x.shape[-1]] = x
    return out
