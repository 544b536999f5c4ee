"""A model -> a directory that transformers and sentence-transformers load.

Source: transformers/models/bert/configuration_bert.py, ``BertConfig``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from npbert.config import BertConfig
from npbert.presets.hugging_face_config import NAMES
from npbert.presets.savable import Model, check_folder, saved_dtype
from npbert.presets.save import add_assets
from npbert.weights.atomic import replacing
from npbert.weights.save_safetensors import write_safetensors

_ACTIVATIONS: Final = {"gelu": "gelu", "gelu_approximate": "gelu_new"}


def save_hugging_face(
    folder: Path,
    model: Model,
    *,
    dtype: str | None = None,
    assets: Mapping[str, bytes] | None = None,
) -> None:
    """config.json and model.safetensors, replaced together; every model fits in.

    Args:
        folder: made if there is none. Other files in it stay.
        model: what to save.
        dtype: of the numbers in the file; None is what the model keeps its weights in.
        assets: more files, by their path in the folder.

    Raises:
        ConfigError: the directory holds a Keras preset, or the files could not be written.
        WeightError: a value is too large for ``dtype``.
    """
    dtype = saved_dtype(model, dtype)
    check_folder(folder, "model_type", "a Hugging Face model")
    with replacing(folder) as files:
        files.folder(folder)
        add_assets(files, folder, assets)
        with open(files.file(folder / "model.safetensors"), "wb") as file:
            write_safetensors(file, model.weights, model.config, dtype=dtype, pooler=model.pooler)
        files.json(folder / "config.json", hugging_face_object(model.config, dtype))


def hugging_face_object(config: BertConfig, dtype: str) -> dict[str, Any]:
    """What config.json says: all that npbert reads there, and what else transformers writes."""
    fields = config.to_dict()
    ours = {key: fields[field] for field, key in NAMES.items()}
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        **ours,
        "hidden_act": _ACTIVATIONS[config.activation],
        "hidden_dropout_prob": config.dropout,
        "initializer_range": 0.02,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "dtype": dtype,
        "torch_dtype": dtype,  # how transformers before 4.56 calls it
    }
