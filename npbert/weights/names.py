"""The one table of names: every tensor of a BERT in Keras Hub, in Keras's h5 and in Hugging Face.

Source: ``BertBackbone.weights`` and a ``model.weights.h5`` written by Keras Hub 0.32; Hugging Face
names as in keras_hub/src/utils/transformers/convert_bert.py, ``convert_weights``.
"""
# ruff: noqa: E501 -- the table is read across: one module, three names for it.

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from npbert.config import BertConfig

Array = npt.NDArray[Any]
"""Of one of the widths of `npbert.weights.dtypes`; bfloat16 is ml_dtypes'."""


class _Variable(NamedTuple):
    """One tensor of a layer: its last name in Keras, in Keras's h5 and in Hugging Face."""

    keras: str
    h5: str
    hugging_face: str


_TABLE: Final = (_Variable("embeddings", "0", "weight"),)
_NORM: Final = (_Variable("gamma", "0", "weight"), _Variable("beta", "1", "bias"))
_DENSE: Final = (_Variable("kernel", "0", "weight"), _Variable("bias", "1", "bias"))


class _Layer(NamedTuple):
    """One row: a layer's canonical name, its group in Keras's h5, its Hugging Face module.

    ``axes`` are those of the first variable, in the letters of `npbert.shapes`. A second variable
    has the last axis alone. ``NH`` is two axes in Keras, ``(N, H)``, and one in Hugging Face.
    """

    name: str
    h5: str
    hugging_face: str
    variables: tuple[_Variable, ...]
    axes: tuple[str, ...]


_EMBEDDINGS: Final = (
    _Layer("token_embedding",                       "reversible_embedding",               "embeddings.word_embeddings",       _TABLE, ("V", "D")),
    _Layer("position_embedding",                    "position_embedding",                 "embeddings.position_embeddings",   _TABLE, ("P", "D")),
    _Layer("segment_embedding",                     "embedding",                          "embeddings.token_type_embeddings", _TABLE, ("S", "D")),
    _Layer("embeddings_layer_norm",                 "layer_normalization",                "embeddings.LayerNorm",             _NORM,  ("D",)),
)  # fmt: skip
_TRANSFORMER_LAYER: Final = (
    _Layer("self_attention_layer/query",            "_self_attention_layer/query_dense",  "attention.self.query",             _DENSE, ("D", "NH")),
    _Layer("self_attention_layer/key",              "_self_attention_layer/key_dense",    "attention.self.key",               _DENSE, ("D", "NH")),
    _Layer("self_attention_layer/value",            "_self_attention_layer/value_dense",  "attention.self.value",             _DENSE, ("D", "NH")),
    _Layer("self_attention_layer/attention_output", "_self_attention_layer/output_dense", "attention.output.dense",           _DENSE, ("NH", "D")),
    _Layer("self_attention_layer_norm",             "_self_attention_layer_norm",         "attention.output.LayerNorm",       _NORM,  ("D",)),
    _Layer("feedforward_layer_norm",                "_feedforward_layer_norm",            "output.LayerNorm",                 _NORM,  ("D",)),
    _Layer("feedforward_intermediate_dense",        "_feedforward_intermediate_dense",    "intermediate.dense",               _DENSE, ("D", "F")),
    _Layer("feedforward_output_dense",              "_feedforward_output_dense",          "output.dense",                     _DENSE, ("F", "D")),
)  # fmt: skip
_POOLER: Final = (
    _Layer("pooled_dense",                          "dense",                              "pooler.dense",                     _DENSE, ("D", "D")),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One tensor of one config.

    Args:
        name: Keras Hub's variable path, npbert's canonical name.
        shape: in Keras and in npbert.
        h5: the dataset in Keras's ``model.weights.h5``.
        hugging_face: the name in a Hugging Face ``model.safetensors``, without ``bert.``.
        hugging_face_shape: there, a kernel is (outputs, inputs) and heads are not an axis.
    """

    name: str
    shape: tuple[int, ...]
    h5: str
    hugging_face: str
    hugging_face_shape: tuple[int, ...]

    @property
    def is_kernel(self) -> bool:
        """Whether Hugging Face stores this tensor transposed."""
        return self.name.endswith("/kernel")

    @property
    def is_matrix(self) -> bool:
        """Whether this is a kernel or an embedding's table, which Keras can quantise."""
        return self.name.endswith(("/kernel", "/embeddings"))

    def from_hugging_face(self, array: Array) -> Array:
        """Hugging Face's layout to Keras's: transpose a kernel, then give the heads their axis."""
        # (N*H, D) -> (D, N*H) -> (D, N, H)
        keras_order = array.T if self.is_kernel else array
        return np.ascontiguousarray(keras_order).reshape(self.shape)


def tensors(config: BertConfig, *, pooler: bool = True) -> list[Tensor]:
    """Every tensor of ``config``, in the order of Keras's ``model.weights``."""
    return list(_tensors(config, pooler))


def weight_shapes(config: BertConfig, *, pooler: bool = True) -> dict[str, tuple[int, ...]]:
    """Canonical name -> shape, in the order of Keras's ``model.weights``.

    Args:
        config: the model.
        pooler: leave out ``pooled_dense/*`` when False.
    """
    return {tensor.name: tensor.shape for tensor in _tensors(config, pooler)}


def _tensors(config: BertConfig, pooler: bool) -> Iterator[Tensor]:
    for layer in _EMBEDDINGS:
        yield from _expand(layer, config, "", "/layers/", "")
    for i in range(config.num_layers):
        # Keras numbers repeats of a class name from the second one on.
        encoder = f"/layers/transformer_encoder{f'_{i}' if i else ''}/"
        for layer in _TRANSFORMER_LAYER:
            yield from _expand(
                layer, config, f"transformer_layer_{i}/", encoder, f"encoder.layer.{i}."
            )
    if pooler:
        for layer in _POOLER:
            yield from _expand(layer, config, "", "/layers/", "")


def _expand(
    layer: _Layer, config: BertConfig, name: str, h5: str, hugging_face: str
) -> Iterator[Tensor]:
    """The tensors of one row, with a prefix for each of its three names."""
    for variable in layer.variables:
        axes = layer.axes if variable is layer.variables[0] else layer.axes[-1:]
        shape = [size for axis in axes for size in _keras_sizes(axis, config)]
        flat = [math.prod(_keras_sizes(axis, config)) for axis in axes]
        yield Tensor(
            name=f"{name}{layer.name}/{variable.keras}",
            shape=tuple(shape),
            h5=f"{h5}{layer.h5}/vars/{variable.h5}",
            hugging_face=f"{hugging_face}{layer.hugging_face}.{variable.hugging_face}",
            hugging_face_shape=tuple(reversed(flat) if variable.keras == "kernel" else flat),
        )


def _keras_sizes(axis: str, config: BertConfig) -> tuple[int, ...]:
    sizes = {
        "V": (config.vocabulary_size,),
        "P": (config.max_sequence_length,),
        "S": (config.num_segments,),
        "D": (config.hidden_dim,),
        "F": (config.intermediate_dim,),
        "NH": (config.num_heads, config.head_dim),
    }
    return sizes[axis]
