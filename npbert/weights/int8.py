"""Keras's int8: each weight is an integer, and one scale serves a whole row or column of them.

    weight = integer / scale

Source: keras/src/layers/core/einsum_dense.py, ``EinsumDense._int8_build`` and
``_adjust_scale_for_dequant``; dense.py and embedding.py beside it, ``_int8_build``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from npbert.caller import warn_caller
from npbert.errors import WeightError
from npbert.weights.names import Array, Tensor

Stored = TypeVar("Stored")


def take_scales(
    stored: dict[str, Stored],
    tensors: Iterable[Tensor],
    *,
    is_int8: Callable[[Stored], bool],
    shape_of: Callable[[Stored], tuple[int, ...]],
    where: object,
) -> dict[str, Stored]:
    """Move the scales of the int8 tensors out of ``stored``: the tensor's key -> its scale.

    Args:
        stored: what the file has, by the key of the table. A kernel's scale is its layer's third
            variable, an embedding's the second.
        tensors: what the config asks for.
        is_int8, shape_of: of what is stored.
        where: the file, for messages.

    Raises:
        WeightError: a scale has another shape than its tensor needs.
    """
    scales: dict[str, Stored] = {}
    for tensor in tensors:
        layer = tensor.h5.removesuffix("/0")
        key = f"{layer}/2" if tensor.is_kernel else f"{layer}/1"
        if not tensor.is_matrix or not {key, tensor.h5} <= stored.keys():
            continue
        if is_int8(stored[tensor.h5]):
            scales[tensor.h5] = stored.pop(key)
            _check_shape(tensor, shape_of(scales[tensor.h5]), f"{where}: {key}")
    return scales


def dequantise(values: npt.NDArray[np.int8], scale: Array, tensor: Tensor) -> Array:
    """``values`` of the tensor's shape as float32; a scale of 0 gives what is not finite."""
    axes = _scaled_axes(tensor)
    shape = [n if axis in axes else 1 for axis, n in enumerate(tensor.shape)]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return values.astype(np.float32) / scale.astype(np.float32).reshape(shape)


def warn_of_int8(path: object) -> None:
    """Say once for a file that its numbers are not what Keras computes with."""
    warn_caller(
        f"{path} holds int8 weights. They are loaded as floats, each divided by its scale;"
        " Keras also rounds what it multiplies them with, so its outputs differ a little"
    )


def _scaled_axes(tensor: Tensor) -> range:
    """The axes along which the scale varies: an embedding's rows, a kernel's outputs."""
    rank = len(tensor.shape)
    if not tensor.is_kernel:
        return range(1)
    if tensor.name.endswith("attention_output/kernel"):  # (N, H, D)
        return range(rank - 1, rank)
    return range(1, rank)  # (D, N, H), (D, F), (F, D), (D, D)


def _check_shape(tensor: Tensor, shape: tuple[int, ...], where: str) -> None:
    # Keras writes (1, 1, N, H) for a query's kernel and (1, 1, D) for the output's.
    expected = tuple(tensor.shape[axis] for axis in _scaled_axes(tensor))
    if [n for n in shape if n != 1] != [n for n in expected if n != 1]:
        raise WeightError(
            f"the int8 scale of {tensor.name!r} has the wrong shape.",
            where=where,
            received=shape,
            expected=f"{expected}, axes of size 1 aside",
            fix="check that the weights and config.json belong together",
        )
