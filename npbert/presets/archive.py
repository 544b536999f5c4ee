"""A ``.keras`` archive, of a backbone or of a task around one, as a `Preset`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from npbert.config import BertConfig
from npbert.presets.keras_config import keras_fields
from npbert.presets.load import Preset, policy_of
from npbert.weights.keras_archive import open_archive
from npbert.weights.load_file import load_file


def load_archive(
    path: Path,
    *,
    load_weights: bool = True,
    overrides: Mapping[str, object] = MappingProxyType({}),
    trust: bool = True,
    dtype: object = None,
) -> Preset:
    """Read the backbone in ``path``; a task's head is left where it is.

    Args:
        path: the archive.
        load_weights, overrides, trust, dtype: as in `npbert.presets.load_preset`.

    Raises:
        ModelFileError, UnsafeModelError, ResourceLimitError: the archive is damaged or not plain.
        ConfigError, UnsupportedModelError, WeightError: it does not hold a BERT, or not all of it.
    """
    with open_archive(path) as archive:
        raw = _backbone(archive.config())
    fields, saved = keras_fields(raw, path)
    config = BertConfig.from_dict(fields | dict(overrides), where=path)
    policy = policy_of(dtype, "keras", saved)
    weights = None
    if load_weights:
        weights = load_file(
            path,
            config,
            leave_out_layers="num_layers" in overrides,
            trust=trust,
            dtype=policy.variable_dtype,
        )
    name = path.name.removesuffix(".keras")
    return Preset(name, "keras", config, weights, path, saved, policy)


def _backbone(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object of a task's backbone, or ``raw`` itself."""
    config: object = raw.get("config")
    inner: object = cast("dict[str, Any]", config).get("backbone") if _is_object(config) else None
    return cast("dict[str, Any]", inner) if _is_object(inner) else raw


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
