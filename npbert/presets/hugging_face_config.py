"""Hugging Face's config.json -> `BertConfig`. What npbert would compute differently is refused.

Source: transformers/models/bert/configuration_bert.py, ``BertConfig``, for names and defaults;
transformers/activations.py, ``ACT2FN``, for which activations are the same function. Keras Hub's
converter reads only the sizes and keeps the tanh GELU; npbert keeps what the file says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from npbert.errors import ConfigError, UnsupportedModelError

NAMES: Final = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "dropout": "attention_probs_dropout_prob",
    "layer_norm_epsilon": "layer_norm_eps",
    "activation": "hidden_act",
}
"""`BertConfig`'s field -> Hugging Face's key."""

_DEFAULTS: Final[dict[str, Any]] = {
    "type_vocab_size": 2,
    "attention_probs_dropout_prob": 0.1,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
}
_ACTIVATIONS: Final = {
    **dict.fromkeys(("gelu", "gelu_python"), "gelu"),
    **dict.fromkeys(
        ("gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_fast", "gelu_accurate"),
        "gelu_approximate",
    ),
}


def hugging_face_fields(raw: Mapping[str, Any], where: Path) -> tuple[dict[str, Any], str | None]:
    """The fields of `BertConfig` in a Hugging Face config, not yet validated, and the saved dtype.

    Args:
        raw: the object in config.json.
        where: the file.

    Raises:
        UnsupportedModelError: another architecture, or a BERT with parts npbert does not have.
        ConfigError: a size is missing.
    """
    _check_supported(raw, where)
    values = {**_DEFAULTS, **raw}
    missing = [key for key in NAMES.values() if key not in values]
    if missing:
        raise ConfigError(
            f"the config lacks {', '.join(missing)}.",
            where=where,
            expected=", ".join(key for key in NAMES.values() if key not in _DEFAULTS),
            fix="check that the file is a BERT config, and whole",
        )
    fields = {field: values[key] for field, key in NAMES.items()}
    fields["activation"] = _activation(values["hidden_act"], where)
    dtype = raw.get("dtype", raw.get("torch_dtype"))
    return fields, dtype if isinstance(dtype, str) else None


def _activation(name: object, where: Path) -> str:
    if isinstance(name, str) and name in _ACTIVATIONS:
        return _ACTIVATIONS[name]
    raise UnsupportedModelError(
        "hidden_act is not one that npbert computes.",
        where=where,
        received=repr(name),
        expected=", ".join(_ACTIVATIONS),
        fix="use a model with one of these; another function would give other numbers",
    )


def _check_supported(raw: Mapping[str, Any], where: Path) -> None:
    if raw.get("model_type") != "bert":
        raise _unsupported("model_type", raw.get("model_type"), "'bert'", where)
    position = raw.get("position_embedding_type", "absolute")
    if position not in ("absolute", None):
        raise _unsupported("position_embedding_type", position, "'absolute'", where)
    for key in ("is_decoder", "add_cross_attention"):
        if raw.get(key):
            raise _unsupported(key, raw[key], "false: an encoder", where)
    if raw.get("quantization_config"):
        raise _unsupported(
            "quantization_config", raw["quantization_config"], "float weights", where
        )


def _unsupported(key: str, received: object, expected: str, where: Path) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{key} {received!r} is not supported.",
        where=where,
        received=repr(received),
        expected=expected,
        fix="npbert runs the BERT encoder as published; use such a model",
    )
