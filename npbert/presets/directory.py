"""A model directory: which library wrote it, its config, its weights."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from npbert.config import BertConfig
from npbert.errors import (
    ConfigError,
    ModelFileError,
    NpbertError,
    UnsafeModelError,
    UnsupportedModelError,
)
from npbert.presets.hugging_face_config import NAMES, hugging_face_fields
from npbert.presets.keras_config import keras_fields
from npbert.presets.registry import presets_table
from npbert.weights import Array, hugging_face, keras_h5
from npbert.weights.strict_json import read_object

MAX_CONFIG_BYTES: Final = 1_000_000

Kind = Literal["keras", "hugging_face"]

WEIGHTS: Final[Mapping[Kind, tuple[str, str]]] = {
    "keras": ("model.weights.h5", "model.weights.json"),
    "hugging_face": ("model.safetensors", "model.safetensors.index.json"),
}
"""The one file of weights, which comes first in both libraries; and the index of several."""

_EXPECTED: Final = "config.json with model.weights.h5 (Keras Hub) or model.safetensors"


def check_directory(path: Path) -> None:
    """Refuse a path that is not a directory with a config.json.

    Raises:
        ModelFileError: saying what is there instead.
    """
    try:
        names = sorted(os.listdir(path))
    except (OSError, ValueError) as error:
        raise _no_directory(path, error) from None
    if "config.json" not in names:
        raise ModelFileError(
            f"no model at '{path}'.",
            received=_found(names),
            expected=_EXPECTED,
            fix="give the directory that holds the model's files",
        )


def _no_directory(path: Path, error: OSError | ValueError) -> ModelFileError:
    known = [row.name for row in presets_table()]
    near = get_close_matches(str(path), known, n=1)
    return ModelFileError(
        f"no model at '{path}'.",
        received=getattr(error, "strerror", None) or error,
        expected=f"a known name, or a directory with {_EXPECTED}",
        fix=f"did you mean {near[0]!r}?" if near else "give the directory that holds the files",
    )


def read_config(path: Path, overrides: Mapping[str, object]) -> tuple[Kind, BertConfig, str | None]:
    """Who wrote the directory, its config with ``overrides`` put in, the dtype it was saved for.

    Raises:
        ModelFileError: config.json is missing or not a regular file.
        ConfigError: it is not JSON, or a field is missing or not acceptable.
        UnsupportedModelError: it describes something else than a BERT that npbert can run.
    """
    where = path / "config.json"
    raw = read_object(where, max_bytes=MAX_CONFIG_BYTES, error=ConfigError)
    kind = _kind(raw, where)
    read_fields = keras_fields if kind == "keras" else hugging_face_fields
    fields, dtype = read_fields(raw, where)
    names = NAMES if kind == "hugging_face" else {}
    return kind, _config(fields, overrides, where, names), dtype


def kind_of(path: Path) -> Kind:
    """Who wrote the directory.

    Raises:
        ModelFileError, ConfigError, UnsupportedModelError: as for `read_config`.
    """
    where = path / "config.json"
    return _kind(read_object(where, max_bytes=MAX_CONFIG_BYTES, error=ConfigError), where)


def _kind(raw: Mapping[str, Any], where: Path) -> Kind:
    if "registered_name" in raw:
        return "keras"
    if "model_type" in raw:
        return "hugging_face"
    raise UnsupportedModelError(
        "the config does not say what model it describes.",
        where=where,
        received=f"keys {', '.join(list(raw)[:8])}",
        expected='"registered_name" (Keras Hub) or "model_type" (Hugging Face)',
        fix="give the directory of a BERT that Keras Hub or transformers saved",
    )


def _config(
    fields: dict[str, Any], overrides: Mapping[str, object], where: Path, names: Mapping[str, str]
) -> BertConfig:
    """Validate; an error says which key of the file, or which override, is meant."""
    try:
        return BertConfig.from_dict(fields | dict(overrides), where=where)
    except ConfigError as error:
        field = error.what.partition(" ")[0]
        if field in overrides:
            culprit = f"override {field!r}"
        elif field in names:
            culprit = f"{where}: {names[field]}"
        else:
            raise
        raise ConfigError(
            error.what,
            where=culprit,
            received=error.received,
            expected=error.expected,
            fix=error.fix,
        ) from None


def read_weights(
    path: Path,
    kind: Kind,
    config: BertConfig,
    *,
    leave_out_layers: bool = False,
    trust: bool = True,
    dtype: str = "float32",
) -> dict[str, Array]:
    """The weights in the directory, checked against ``config``.

    Args:
        path: the directory.
        kind: who wrote it.
        config: what the weights must be.
        leave_out_layers: whether the files may have more layers than ``config``: when the caller
            chose ``num_layers``.
        trust: as in `keras_h5.load`; safetensors need none.
        dtype: of the arrays.

    Raises:
        ModelFileError: a weights file is missing or damaged.
        UnsafeModelError: the weights are a pickle, or reach outside their file or directory.
        UnsupportedModelError: the weights are not floats, nor Keras's int8.
        WeightError: the weights are not those of the config.
    """
    names = sorted(os.listdir(path))
    load = partial(keras_h5.load, trust=trust) if kind == "keras" else hugging_face.load
    for file in WEIGHTS[kind]:
        if file in names:
            return load(path / file, config, leave_out_layers=leave_out_layers, dtype=dtype)
    raise _no_weights(path, WEIGHTS[kind][0], names)


def _no_weights(path: Path, file: str, names: list[str]) -> NpbertError:
    if pickles := [name for name in names if name.endswith((".bin", ".pt", ".pth", ".pkl"))]:
        return UnsafeModelError(
            "the weights are a pickle, which can run code when it is read.",
            where=path / pickles[0],
            expected=file,
            fix="convert the model to safetensors",
        )
    return ModelFileError(
        "the model has no weights file.",
        where=path,
        received=_found(names),
        expected=file,
        fix="get the missing file, or pass load_weights=False",
    )


def _found(names: list[str]) -> str:
    rest = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"found: {', '.join(names[:10])}{rest}" if names else "an empty directory"
