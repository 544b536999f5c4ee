"""`load_preset`: what a name or a path means, as a config and, if asked for, weights."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, cast

from npbert.config import BertConfig, unknown_name
from npbert.errors import InputTypeError, ModelFileError
from npbert.presets.directory import check_directory, read_config, read_weights
from npbert.presets.installed import find_installed, packaged
from npbert.presets.registry import BUILT_IN
from npbert.weights import Array

_FIELDS: Final = [field.name for field in dataclasses.fields(BertConfig)]


@dataclasses.dataclass(frozen=True, eq=False)
class Preset:
    """A model as it was found.

    Args:
        name: what was asked for: a known name, or the directory's own name.
        kind: who wrote it; ``"built-in"`` is a config that comes with npbert, without files.
        config: valid, overrides included.
        weights: canonical name -> float32 array, or None when they were not asked for.
        path: the directory, or None for a built-in.
        dtype: the dtype the files say they were saved for; weights are float32 whatever it is.
    """

    name: str
    kind: Literal["keras", "hugging_face", "built-in"]
    config: BertConfig
    weights: dict[str, Array] | None
    path: Path | None
    dtype: str | None


def load_preset(
    preset: str | os.PathLike[str],
    *,
    load_weights: bool = True,
    overrides: Mapping[str, object] = MappingProxyType({}),
) -> Preset:
    """Find a model and read it: all of it, or an error and nothing.

    A known name wins over a directory of the same name, as in Keras Hub; ``./name`` is the
    directory.

    Args:
        preset: a built-in name, a packaged model's name, or a directory in the format of Keras Hub
            or Hugging Face.
        load_weights: False reads the config alone; a built-in name then needs no files.
        overrides: fields of `BertConfig` that replace those of the file.

    Raises:
        ConfigError: a field of the config, or an override, is not acceptable.
        ModelFileError: a file is missing or damaged, or would have to be downloaded.
        UnsafeModelError: a file could run code or reach other files.
        UnsupportedModelError: another architecture, or a quantised or sharded model.
        WeightError: the weights are not those of the config.
    """
    for name in overrides:
        if name not in _FIELDS:
            raise unknown_name("override", name, _FIELDS)
    source = _fspath(preset)
    if source in BUILT_IN:
        return _built_in(source, load_weights, overrides)
    if packaged(source):
        return _from_directory(find_installed(source), source, load_weights, overrides)
    if "://" in source:
        raise _no_download(source)
    path = Path(source)
    check_directory(path)
    return _from_directory(path, path.resolve().name, load_weights, overrides)


def _fspath(preset: object) -> str:
    try:
        source: object = os.fspath(cast("str", preset))
    except TypeError:
        source = None
    if isinstance(source, str) and source:
        return source
    raise InputTypeError(
        "a preset must be a name or a path.",
        received=f"{preset!r} ({type(preset).__name__})",
        expected="a non-empty str, or a pathlib.Path",
        fix="give a built-in name or the directory that holds the model",
    )


def _from_directory(
    path: Path, name: str, load_weights: bool, overrides: Mapping[str, object]
) -> Preset:
    kind, config, dtype = read_config(path, overrides)
    weights = read_weights(path, kind, config) if load_weights else None
    return Preset(name, kind, config, weights, path, dtype)


def _built_in(name: str, load_weights: bool, overrides: Mapping[str, object]) -> Preset:
    if load_weights:
        raise _no_download(name)
    config = dataclasses.replace(BUILT_IN[name].config, **dict(overrides))  # type: ignore[arg-type]
    return Preset(name, "built-in", config, None, None, None)


def _no_download(source: str) -> ModelFileError:
    return ModelFileError(
        f"the weights of {source!r} are not on this machine, and this version does not download.",
        received=repr(source),
        expected="a directory that holds the preset",
        fix="download the preset with Keras Hub or by hand and give its directory, "
        "or pass load_weights=False for a built-in name",
    )
