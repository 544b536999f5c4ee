"""From the vectors of tokens to that of a text: pooling, then what the model has after it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from npbert.ops import pooling
from npbert.ops.pooling import l2_normalize_kernel
from npbert.ops.projection import Projection
from npbert.ops.types import Array
from npbert.simd import buffers
from npbert.simd.kernel import Kernel
from npbert.simd.precision import FLOAT32, Precision
from npbert.text.sentence_transformers import Modules, Step

_KERNELS: Final[tuple[Kernel, ...]] = (*pooling.KERNELS, l2_normalize_kernel)


class Head:
    """Pooling and the modules after it, in the model's order.

    Args:
        modules: what the model's files ask for; each fits what it is given.
        hidden_dim: D.
        precision: of the rows, and what it computes in.

    Attributes:
        modes: of pooling, concatenated.
        dimension: of a text's vector.
    """

    def __init__(self, modules: Modules, hidden_dim: int, precision: Precision = FLOAT32) -> None:
        self.modes, self._hidden_dim = modules.modes, hidden_dim
        self.dimension = modules.dimension(hidden_dim)
        self._precision = precision
        self._steps = [_step(step, precision) for step in modules.steps]

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """Every kernel that a call needs."""
        used = _KERNELS + (Projection.kernels if any(self._steps) else ())
        return tuple(kernel[self._precision] for kernel in used)

    @property
    def normalizes(self) -> bool:
        """Whether vectors have length 1: the last module divides them by their own."""
        return bool(self._steps) and self._steps[-1] is None

    def __call__(self, rows: Array, starts: NDArray[np.int64], skip: int = 0) -> Array:
        """(R, padded D), (B + 1,) -> (B, padded dimension).

        ``skip`` rows at the beginning of each text are left out of the pooling.
        """
        vectors = self._pool(rows, starts, skip)
        for step in self._steps:
            if step is None:
                l2_normalize_kernel[self._precision](vectors, vectors)
            else:
                vectors = step(vectors)
        return vectors

    def _pool(self, rows: Array, starts: NDArray[np.int64], skip: int) -> Array:
        D, precision = self._hidden_dim, self._precision
        pooled = buffers.empty(len(starts) - 1, rows.shape[1], dtype=rows.dtype)
        if len(self.modes) == 1:
            pooling.pool(self.modes[0], rows, starts, pooled, skip, precision)
            return pooled
        wide = buffers.padded(len(self.modes) * D)
        joined = buffers.zeros(len(pooled), wide, dtype=rows.dtype)
        for i, mode in enumerate(self.modes):
            pooling.pool(mode, rows, starts, pooled, skip, precision)
            joined[:, i * D : (i + 1) * D] = pooled[:, :D]
        return joined


def _step(step: Step, precision: Precision) -> Projection | None:
    """A dense layer; None is the division by the length."""
    if step == "normalize":
        return None
    bias = np.zeros(step.weight.shape[1], np.float32) if step.bias is None else step.bias
    return Projection(step.weight, bias, step.activation, precision)
