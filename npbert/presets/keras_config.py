"""Keras Hub's config.json -> `BertConfig`. Read as data: nothing it names is imported.

Source: keras_hub/src/utils/preset_utils.py, ``KerasPresetLoader``, and files that keras_nlp 0.7 to
Keras Hub 0.32 wrote with ``save_to_preset``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from npbert.errors import ConfigError, UnsupportedModelError

_CLASSES: Final = ("keras_hub>BertBackbone", "keras_nlp>BertBackbone")
# Every one of them is loaded as float32, as Keras Hub does.
_DTYPES: Final = ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16", "float64")
_POLICIES: Final = ("DTypePolicy", "FloatDTypePolicy", "Policy")
_IGNORED: Final = ("name", "trainable", "dtype")


def keras_fields(raw: Mapping[str, Any], where: Path) -> tuple[dict[str, Any], str]:
    """The fields of `BertConfig` in a Keras Hub config, not yet validated, and the saved dtype.

    Args:
        raw: the object in config.json.
        where: the file.

    Raises:
        UnsupportedModelError: another architecture, or a quantised model.
        ConfigError: the file has no config to read.
    """
    _check_class(raw.get("registered_name"), where)
    config = _mapping(raw.get("config"))
    if config is None:
        raise ConfigError(
            "the file has no 'config' object.",
            where=where,
            received=type(raw.get("config")).__name__,
            expected='"config": {"vocabulary_size": ..., ...}',
            fix="save the preset again with save_to_preset",
        )
    fields = {name: value for name, value in config.items() if name not in _IGNORED}
    return fields, _dtype(config.get("dtype"), where)


def _check_class(name: object, where: Path) -> None:
    if name in _CLASSES:
        return
    shown = name.rpartition(">")[2] if isinstance(name, str) else repr(name)
    raise UnsupportedModelError(
        f"the preset holds a {shown}, not a BertBackbone.",
        where=where,
        received=f"registered_name {name!r}",
        expected=" or ".join(_CLASSES),
        fix="npbert runs BERT; give the preset of a BertBackbone",
    )


def _dtype(policy: object, where: Path) -> str:
    """The name of the dtype policy: a string, or the object Keras serialises it to."""
    if policy is None:
        return "float32"
    name: object = policy
    kind: object = "DTypePolicy"
    if not isinstance(policy, str):
        saved = _mapping(policy) or {}
        kind = saved.get("class_name")
        name = (_mapping(saved.get("config")) or {}).get("name")
    if kind in _POLICIES and isinstance(name, str) and name in _DTYPES:
        return name
    raise UnsupportedModelError(
        "the preset's dtype is not a float, as in a quantised model.",
        where=where,
        received=f"{kind} {name!r}" if name else kind or repr(policy),
        expected=", ".join(_DTYPES),
        fix="save the preset before quantising it",
    )


def _mapping(value: object) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
