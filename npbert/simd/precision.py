"""In which dtypes kernels compute, and how the weights they read lie in memory.

Every kernel has one source. `npbert.simd.kernel.Kernel` compiles it once for each precision that is
used: the types in its signature and the names of `npbert.simd` in its source are then those of the
precision. `npbert.engine.run.Engine` chooses the one that a dtype policy needs.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_LAID_OUT_AS = {
    "float32": "float32",
    "float64": "float64",
    "float16": "int16",
    "bfloat16": "uint16",
}
"""The arrays that hold stored weights: those of 16 bits, which Numba does not know, by their bits
(see `npbert.simd.vector_memory`)."""


class Precision(NamedTuple):
    """One way to compute.

    Args:
        name: as in the dtype policy of that name.
        real: ``"float32"`` or ``"float64"``: arithmetic, activations, biases, scales and shifts.
        stored: dtype of packed weights and embedding tables, widened to ``real`` in registers.
        rounded: ``"float16"`` or ``"bfloat16"``, to which every op's results are rounded; they
            stay in arrays of ``real``. None rounds nothing further.
    """

    name: str
    real: str
    stored: str
    rounded: str | None = None

    @property
    def plain(self) -> Precision:
        """The precision that computes alike, but neither widens nor rounds."""
        return FLOAT64 if self.real == "float64" else FLOAT32

    @property
    def real_dtype(self) -> np.dtype[Any]:
        """NumPy's dtype of activations."""
        return np.dtype(self.real)

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """NumPy's dtype of the arrays of stored weights: of 16-bit ones, that of their bits."""
        return np.dtype(_LAID_OUT_AS[self.stored])

    @property
    def rows_together(self) -> int:
        """How many rows of packed weights lie interleaved (see `npbert.simd.panels`)."""
        return 2 if self.stored == "bfloat16" else 1

    @property
    def widens(self) -> bool:
        """Whether weights are stored in fewer bits than they are computed with."""
        return self.stored != self.real

    @property
    def few_tiles(self) -> int:
        """Up to as many tiles of a panel each widen what they load (see `npbert.simd.widening`).

        Measured: bfloat16 takes one instruction for a vector, float16 two.
        """
        return 3 if self.stored == "float16" else 8

    def weights(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Numbers as a kernel sees them once they are stored: ``real``, rounded to ``stored``."""
        return self.numbers(self.bits(numbers)).astype(self.real)

    def round(self, reals: NDArray[Any]) -> NDArray[Any]:
        """Values of ``real`` rounded as an op's results are."""
        if self.rounded is None:
            return reals
        from npbert.dtype_policy import numpy_dtype

        return reals.astype(numpy_dtype(self.rounded)).astype(self.real)

    def bits(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Numbers of any float dtype, rounded to the one that is stored, as they are laid out."""
        if self.stored == "bfloat16":
            import ml_dtypes

            return numbers.astype(ml_dtypes.bfloat16, copy=False).view(np.uint16)
        return numbers.astype(self.stored, copy=False).view(self.stored_dtype)

    def numbers(self, bits: NDArray[Any]) -> NDArray[Any]:
        """What `bits` laid out, in the dtype that is stored; no copy."""
        if self.stored == "bfloat16":
            import ml_dtypes

            return bits.view(ml_dtypes.bfloat16)
        return bits.view(self.stored)

    def signature(self, pattern: str) -> str:
        """A kernel's signature, in Numba's notation, where ``real`` and ``stored`` are types."""
        pattern = re.sub(r"\breal\b", self.real, pattern)
        return re.sub(r"\bstored\b", _LAID_OUT_AS[self.stored], pattern)


FLOAT32 = Precision("float32", "float32", "float32")
FLOAT64 = Precision("float64", "float64", "float64")
FLOAT16 = Precision("float16", "float32", "float16", "float16")
BFLOAT16 = Precision("bfloat16", "float32", "bfloat16", "bfloat16")
FLOAT16_STORED = Precision("float16_from_float32", "float32", "float16")
BFLOAT16_STORED = Precision("bfloat16_from_float32", "float32", "bfloat16")

PRECISIONS = {
    each.name: each
    for each in (FLOAT32, FLOAT64, FLOAT16, BFLOAT16, FLOAT16_STORED, BFLOAT16_STORED)
}
"""By name."""
