"""The widths that weights can be saved in, and float32 rounded to them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from npbert.errors import ConfigError, WeightError
from npbert.weights.names import Array

ITEM_BYTES: Final = {"float32": 4, "float16": 2, "bfloat16": 2}
"""What ``dtype`` may be when a model is saved, and the bytes of one number."""


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
        fix="'float32' keeps every bit",
    )


def stored_as(array: Array, dtype: str, name: str) -> npt.NDArray[Any]:
    """``array`` as it lies in a file, little-endian: rounded to the nearest, ties to even.

    Args:
        array: float32, finite.
        dtype: one of `ITEM_BYTES`; bfloat16 gives its 16 bits, as NumPy has no such type.
        name: of the tensor, for the message.

    Raises:
        WeightError: a value is too large for ``dtype``.
    """
    if dtype == "float32":
        return array.astype("<f4", copy=False)
    with np.errstate(over="ignore"):
        rounded = _bfloat16(array) if dtype == "bfloat16" else array.astype("<f2")
    if not np.isfinite(rounded).all():
        raise WeightError(
            f"{name!r} has values too large for {dtype}.",
            received=f"{np.abs(array).max():g}",
            expected="at most 65504" if dtype == "float16" else "at most 3.39e38",
            fix="save the model in float32",
        )
    return rounded.view("<u2") if dtype == "bfloat16" else rounded


def _bfloat16(array: Array) -> npt.NDArray[Any]:
    import ml_dtypes

    return array.astype(ml_dtypes.bfloat16)
