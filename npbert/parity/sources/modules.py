"""Where Hugging Face's BertModel shows the stages: what a module receives, and what it returns.

Source: transformers/models/bert/modeling_bert.py. PyTorch's exporters keep these paths in the names
of an ONNX graph, so one table serves both.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from npbert.parity.layouts import OF_HEADS
from npbert.parity.types import Array

_EMBEDDINGS: Final = (
    ("word_embeddings", None, "token"),
    ("position_embeddings", None, "position"),
    ("token_type_embeddings", None, "segment"),
    ("LayerNorm", "sum", "layer_norm"),
)
_LAYER: Final = (
    ("attention.self.query", None, "query"),
    ("attention.self.key", None, "key"),
    ("attention.self.value", None, "value"),
    ("attention.output.dense", "context", "attention_output"),
    ("attention.output.LayerNorm", "attention_residual", "attention_layer_norm"),
    ("intermediate.dense", None, "intermediate"),
    ("output.dense", "activation", "output"),
    ("output.LayerNorm", "output_residual", "output_layer_norm"),
)


class Module(NamedTuple):
    """One module.

    Args:
        path: in a BertModel: ``"encoder.layer.0.output.dense"``.
        received, returned: the stages; None where what it receives is no stage of its own.
    """

    path: str
    received: str | None
    returned: str


def modules(num_layers: int) -> list[Module]:
    """Every module of a model that shows a stage, in the order of computation."""
    rows = [("embeddings", "embeddings", row) for row in _EMBEDDINGS]
    rows += [(f"encoder.layer.{i}", f"layer.{i}", row) for i in range(num_layers) for row in _LAYER]
    return [
        Module(f"{path}.{module}", received and f"{stage}.{received}", f"{stage}.{returned}")
        for path, stage, (module, received, returned) in rows
    ]


def attention_path(layer: int) -> str:
    """The module inside which scores and probabilities come by."""
    return f"encoder.layer.{layer}.attention.self"


def as_stage(stage: str, value: Array, rows: int, num_heads: int | None) -> Array:
    """A module's array in the shape that the stage has.

    Args:
        stage: its name.
        value: (B, T, D), or (1, T, D) of positions.
        rows: B.
        num_heads: N; None if it is not known, and heads stay in one axis.
    """
    if stage == "embeddings.position" and value.shape[0] == 1:
        return np.broadcast_to(value, (rows, *value.shape[1:]))
    if num_heads and stage.rpartition(".")[2] in OF_HEADS and value.shape[-1] % num_heads == 0:
        return value.reshape(*value.shape[:-1], num_heads, -1)
    return value
