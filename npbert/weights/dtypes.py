"""The four widths of weights, in memory and in files, and rounding from one to another."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from npbert.dtype_policy import numpy_dtype
from npbert.errors import ConfigError, WeightError
from npbert.weights.names import Array

ITEM_BYTES: Final = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}
"""What ``dtype`` may be when a model is saved, and the bytes of one number."""

_LARGEST: Final = {
    "float32": "3.4028e38",
    "float64": "1.7977e308",
    "float16": "65504",
    "bfloat16": "3.3895e38",
}


def check_saved_dtype(dtype: object) -> str:
    """``dtype`` itself.

    Raises:
        ConfigError: models are not saved in it.
    """
    if isinstance(dtype, str) and dtype in ITEM_BYTES:
        return dtype
    raise ConfigError(
        "weights cannot be saved in this dtype.",
        where="dtype",
        received=repr(dtype),
        expected=" or ".join(map(repr, ITEM_BYTES)),
        fix="leave it out, which keeps every bit",
    )


def rounded(array: Array, dtype: str, name: str, where: str | None = None) -> Array:
    """``array`` in another width: to the nearest, ties to even; float64 to bfloat16 by float32.

    C-contiguous and in native byte order; ``array`` itself where it is all that already.

    Args:
        array: finite numbers.
        dtype: one of `ITEM_BYTES`.
        name, where: of the tensor, for the message.

    Raises:
        WeightError: a value is too large for ``dtype``.
    """
    with np.errstate(over="ignore"):
        found = np.asarray(array, numpy_dtype(dtype), order="C")
    if found is not array and not np.isfinite(largest(found)):
        raise _too_large(array, dtype, name, where)
    return found


def stored_as(array: Array, dtype: str, name: str) -> npt.NDArray[Any]:
    """``array`` as it lies in a file, little-endian; bfloat16 as its 16 bits.

    Args and errors are those of `rounded`.
    """
    found = rounded(array, dtype, name)
    bits = found.view(np.uint16) if dtype == "bfloat16" else found
    return bits.astype(bits.dtype.newbyteorder("<"), copy=False)


def bytes_of(array: Array) -> memoryview:
    """The memory of a C-contiguous array, which NumPy gives of no bfloat16."""
    return array.reshape(-1).view(np.uint8).data


def largest(array: Array) -> float:
    """The largest magnitude; where any value is NaN, that. Nothing of the array's size is made."""
    if array.dtype.itemsize == 2 and array.dtype.isnative:
        # The bits of 16-bit floats are ordered as their magnitudes are, and NaN comes last. NumPy
        # compares integers a hundred times as fast; as signed ones, those with the sign bit lose.
        bits = array.view(np.uint16)
        most = max(int(bits.view(np.int16).max()), int(bits.max()) & 0x7FFF)
        return float(np.uint16(most).view(array.dtype))
    with np.errstate(invalid="ignore"):
        return float(np.maximum(-array.min(), array.max()))


def _too_large(array: Array, dtype: str, name: str, where: str | None) -> WeightError:
    wider = "float64" if dtype == "float32" else "float32"
    return WeightError(
        f"{name!r} has values too large for {dtype}.",
        where=where,
        received=f"{largest(array):g}",
        expected=f"at most {_LARGEST[dtype]}",
        fix=f"choose a dtype that goes further, such as {wider!r}",
    )
