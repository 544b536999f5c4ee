"""Keras Hub's config.json -> `BertConfig`. Read as data: nothing it names is imported.

Source: keras_hub/src/utils/preset_utils.py, ``KerasPresetLoader``, and files that keras_nlp 0.7 to
Keras Hub 0.32 wrote with ``save_to_preset``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from npbert.dtype_policy import KERAS
from npbert.errors import ConfigError, UnsupportedModelError

_CLASSES: Final = ("keras_hub>BertBackbone", "keras_nlp>BertBackbone")
_REFUSED: Final = {
    "int4": "its numbers are packed two to a byte",
    "float8": "its numbers are meant for arithmetic in float8",
    "gptq": "its numbers are packed, in groups that a calibration chose",
    "awq": "its numbers are packed, in groups that a calibration chose",
}
_IGNORED: Final = ("name", "trainable", "dtype")


def keras_fields(raw: Mapping[str, Any], where: Path) -> tuple[dict[str, Any], str]:
    """The fields of `BertConfig` in a Keras Hub config, not yet validated, and the saved dtype.

    Args:
        raw: the object in config.json.
        where: the file.

    Raises:
        UnsupportedModelError: another architecture, or quantised to anything but int8.
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
    """The name of the dtype policy; of a map of policies, int8 if there is one, else its default.

    Source: keras/src/dtype_policies, ``serialize`` of ``DTypePolicy``, ``QuantizedDTypePolicy``
    and ``DTypePolicyMap``, which Keras Hub writes once any layer is quantised.
    """
    saved = _mapping(policy) or {}
    config = _mapping(saved.get("config")) or {}
    if saved.get("class_name") != "DTypePolicyMap":
        return _one_dtype(policy, where)
    # A policy in a map may have no name, which stands for the default.
    default = _one_dtype(config.get("default_policy"), where)
    policies = _mapping(config.get("policy_map")) or {}
    names = [_one_dtype(each, f"{where}: dtype of {layer}") for layer, each in policies.items()]
    return "int8" if "int8" in names else default


def _one_dtype(policy: object, where: object) -> str:
    """The name of a float policy or ``"int8"``; a policy is a name or what Keras makes of it."""
    config = _mapping((_mapping(policy) or {}).get("config")) or {}
    # A quantised policy has a mode, "int4/128" with a size of groups, or a name that begins so.
    name = policy if isinstance(policy, str) else config.get("mode") or config.get("name")
    if policy is None or (name is None and "name" in config):
        return "float32"
    mode = name.partition("_from_")[0].partition("/")[0] if isinstance(name, str) else None
    if mode == "int8" or mode in KERAS:
        return mode
    if mode in _REFUSED:
        what, received = f"{mode} weights are not read: {_REFUSED[mode]}.", name
    else:
        what, received = "the preset's dtype is not one that npbert knows.", policy
    raise UnsupportedModelError(
        what,
        where=where,
        received=f"{received!r:.80}",
        expected=f"{', '.join(KERAS)}, or int8",
        fix="save the preset before quantising it, or quantise it to int8",
    )


def _mapping(value: object) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
