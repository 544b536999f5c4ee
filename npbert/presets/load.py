"""`load_preset`: what a name, a handle or a path means, as a config and, if asked for, weights."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, cast

from npbert.config import BertConfig, unknown_name
from npbert.dtype_policy import DTypePolicy, get
from npbert.errors import InputTypeError, ModelFileError
from npbert.presets.directory import Kind, check_directory, read_config, read_weights
from npbert.presets.installed import find_installed, packaged
from npbert.presets.registry import BUILT_IN, KERAS
from npbert.weights import Array
from npbert.weights.module_list import transformer_folder

_REPOSITORY: Final = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_FIELDS: Final = [field.name for field in dataclasses.fields(BertConfig)]


@dataclasses.dataclass(frozen=True, eq=False)
class Preset:
    """A model as it was found.

    Args:
        name: what was asked for: a known name, a handle, or the directory's own name.
        kind: who wrote it; ``"built-in"`` is a config that comes with npbert, without files.
        config: valid, overrides included.
        weights: canonical name -> array of the policy's variable dtype, or None when they were not
            asked for.
        path: the directory, or None for a built-in.
        dtype: what the files say they were saved for.
        policy: what the model is to compute in.
    """

    name: str
    kind: Literal["keras", "hugging_face", "built-in"]
    config: BertConfig
    weights: dict[str, Array] | None
    path: Path | None
    dtype: str | None
    policy: DTypePolicy


def load_preset(
    preset: str | os.PathLike[str],
    *,
    load_weights: bool = True,
    overrides: Mapping[str, object] = MappingProxyType({}),
    trust: bool = True,
    dtype: object = None,
) -> Preset:
    """Find a model and read it: all of it, or an error and nothing.

    A known name wins over a directory of the same name, as in Keras Hub; ``./name`` and
    ``Path("name")`` are the directory. A path brings no code for networks.

    Args:
        preset: a built-in name, ``kaggle://ORG/MODEL/keras/VARIANT[/VERSION]``,
            ``hf://ORG/MODEL``, a packaged model's name, a ``.keras`` archive, or a directory in the
            format of Keras Hub or Hugging Face.
        load_weights: False reads the config alone; the ten BERT presets then need no files.
        overrides: fields of `BertConfig` that replace those of the file. With ``num_layers``, the
            layers past it are left where they are.
        trust: False has HDF5 files read by another process, with limits of time and memory; the
            other formats are always read with checks of npbert's own.
        dtype: the policy, as in `npbert.dtype_policy.get`. None is what `set_dtype_policy` has set;
            else a Keras preset's own if that is one of floats, and float32 for all other models.

    Raises:
        ConfigError: a field of the config, or an override, is not acceptable.
        DependencyError: the client of the hub is not installed.
        ModelFileError: a file is missing or damaged, or a hub does not give it.
        UnsafeModelError: a file could run code or reach other files.
        UnsupportedModelError: another architecture, or a dtype that is not read.
        WeightError: the weights are not those of the config, or too large for the dtype.
    """
    dtype = None if dtype is None else get(dtype)  # before anything is fetched
    for name in overrides:
        if name not in _FIELDS:
            raise unknown_name("override", name, _FIELDS)
    source = _fspath(preset)
    if isinstance(preset, str):
        if source in BUILT_IN and not load_weights:
            return _built_in(source, overrides, dtype)
        if packaged(source):
            path = find_installed(source)
            return _from_directory(path, source, load_weights, overrides, trust, dtype)
        if source in KERAS or "://" in source:
            return _from_hub(source, load_weights, overrides, trust, dtype)
    path = Path(source)
    if path.suffix == ".keras" and not path.is_dir():
        from npbert.presets.archive import load_archive

        return load_archive(
            path, load_weights=load_weights, overrides=overrides, trust=trust, dtype=dtype
        )
    folder = transformer_folder(path)
    _check_directory(folder, source)
    return _from_directory(folder, path.resolve().name, load_weights, overrides, trust, dtype)


def preset_directory(preset: str | os.PathLike[str]) -> Path:
    """The directory of a preset's small files, all but the weights; fetched if need be.

    Args:
        preset: as in `load_preset`, but no ``.keras`` archive.

    Raises:
        DependencyError, ModelFileError, UnsupportedModelError: as for `load_preset`.
    """
    source = _fspath(preset)
    if isinstance(preset, str):
        if packaged(source):
            return find_installed(source)
        if source in KERAS or "://" in source:
            from npbert.presets.hubs import fetch, handle_of

            return fetch(handle_of(source), load_weights=False)
    path = Path(source)
    if not path.is_dir():
        _check_directory(path, source)
    return path


def _check_directory(path: Path, source: str) -> None:
    """As `check_directory`; what looks like a name on Hugging Face is told how to be one."""
    try:
        check_directory(path)
    except ModelFileError as error:
        if not _REPOSITORY.fullmatch(source) or path.exists():
            raise
        raise ModelFileError(
            error.what,
            received=error.received,
            expected=error.expected,
            fix=f"for the model on Hugging Face, write 'hf://{source}'",
        ) from None


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


def policy_of(dtype: object, kind: Kind, saved: str | None) -> DTypePolicy:
    """What a model is to compute in: see `load_preset`.

    Args:
        dtype: what the caller asked for.
        kind: who wrote the files.
        saved: what they say; ``"int8"`` is no policy of floats.
    """
    own = saved if kind == "keras" and saved != "int8" else None
    return get(dtype, own or "float32")


def _from_directory(
    path: Path,
    name: str,
    load_weights: bool,
    overrides: Mapping[str, object],
    trust: bool,
    dtype: object,
) -> Preset:
    kind, config, saved = read_config(path, overrides)
    policy = policy_of(dtype, kind, saved)
    weights = None
    if load_weights:
        weights = read_weights(
            path,
            kind,
            config,
            leave_out_layers="num_layers" in overrides,
            trust=trust,
            dtype=policy.variable_dtype,
        )
    return Preset(name, kind, config, weights, path, saved, policy)


def _from_hub(
    source: str, load_weights: bool, overrides: Mapping[str, object], trust: bool, dtype: object
) -> Preset:
    from npbert.presets.hubs import fetch, handle_of

    path = fetch(handle_of(source), load_weights=load_weights, overrides=overrides)
    return _from_directory(path, source, load_weights, overrides, trust, dtype)


def _built_in(name: str, overrides: Mapping[str, object], dtype: object) -> Preset:
    config = dataclasses.replace(BUILT_IN[name].config, **dict(overrides))  # type: ignore[arg-type]
    return Preset(name, "built-in", config, None, None, None, get(dtype))
