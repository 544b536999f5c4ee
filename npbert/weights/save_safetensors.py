"""Arrays -> Hugging Face's ``model.safetensors``, one tensor in memory at a time.

Source: the format's specification (see `safetensors_file`); transformers/models/bert/
modeling_bert.py, ``BertModel``, for the names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

import numpy as np

from npbert.config import BertConfig
from npbert.weights.dtypes import ITEM_BYTES, bytes_of, stored_as
from npbert.weights.names import Array, Tensor, tensors

_CODES: Final = {"float32": "F32", "float64": "F64", "float16": "F16", "bfloat16": "BF16"}
_ALIGNMENT: Final = 8


def write_safetensors(
    file: BinaryIO,
    weights: Iterable[tuple[str, Array]],
    config: BertConfig,
    *,
    dtype: str,
    pooler: bool,
) -> None:
    """Write all tensors, under Hugging Face's names without prefix and in its layout.

    Args:
        file: open for writing.
        weights: canonical names and arrays, in the order of `weight_shapes`.
        config: the model's.
        dtype: one of `npbert.weights.dtypes.ITEM_BYTES`.
        pooler: whether ``weights`` has ``pooled_dense/*``.

    Raises:
        WeightError: a value is too large for ``dtype``.
        OSError: the file could not be written.
    """
    table = tensors(config, pooler=pooler)
    file.write(_header(table, dtype))
    for tensor, (name, array) in zip(table, weights, strict=True):
        assert name == tensor.name, f"{name} comes where {tensor.name} should"
        stored = stored_as(to_hugging_face(tensor, array), dtype, name)
        file.write(bytes_of(stored))


def to_hugging_face(tensor: Tensor, array: Array) -> Array:
    """Keras's layout to Hugging Face's: one axis for the heads, then a kernel is transposed."""
    # (D, N, H) -> (D, N*H) -> (N*H, D)
    if tensor.is_kernel:
        return array.reshape(tensor.hugging_face_shape[::-1]).T
    return array.reshape(tensor.hugging_face_shape)


def _header(table: list[Tensor], dtype: str) -> bytes:
    """The length, then JSON, padded so that the data begins on a multiple of eight bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in table:
        begin = end
        end += int(np.prod(tensor.shape)) * ITEM_BYTES[dtype]
        header[tensor.hugging_face] = {
            "dtype": _CODES[dtype],
            "shape": tensor.hugging_face_shape,
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text
