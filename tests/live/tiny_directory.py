"""A tiny sentence-transformers directory that every peer can read, Keras Hub too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from text.tiny_model import VOCABULARY, write_json, write_tiny_model
from weights.model_files import change_json, hugging_face, write_safetensors

from npbert.config import BertConfig


def write(
    path: Path, config: BertConfig, weights: Mapping[str, np.ndarray], **settings: Any
) -> Path:
    """`text.tiny_model` with these weights; layers and activation are the config's."""
    write_tiny_model(path, **settings)
    activation = "gelu" if config.activation == "gelu" else "gelu_pytorch_tanh"
    fields = {"num_hidden_layers": config.num_layers, "hidden_act": activation}
    change_json(path / "config.json", lambda found: found.update(fields))
    write_safetensors(path / "model.safetensors", hugging_face(dict(weights), config))
    (path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    write_json(path / "tokenizer_config.json", {"do_lower_case": True})
    modules = json.loads((path / "modules.json").read_text())
    numbered = [{"idx": i, "name": str(i), **module} for i, module in enumerate(modules)]
    write_json(path / "modules.json", numbered)
    pooling = {"pooling_mode": "mean", "embedding_dimension": config.hidden_dim}
    write_json(path / "1_Pooling" / "config.json", pooling)
    return path
