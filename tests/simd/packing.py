"""One panel of packed weights, of any width."""

from __future__ import annotations

from typing import Any
from unittest import mock

from numpy.typing import NDArray

from npbert.simd import isa
from npbert.simd.panels import pack
from npbert.simd.precision import Precision


def pack_one(b: NDArray[Any], precision: Precision) -> NDArray[Any]:
    """A panel as wide as ``b``, whatever is widest on this machine."""
    widest = isa.current()._replace(tile_vectors=b.shape[1] // 16)
    with mock.patch.object(isa, "current", return_value=widest):
        return pack(b, precision=precision)
