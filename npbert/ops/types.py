"""The two array types that the definitions speak of."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""A floating-point array; every definition computes in the dtype it is given."""

IntArray: TypeAlias = NDArray[Any]
"""An integer array: ids or a mask."""
