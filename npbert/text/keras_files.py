"""Keras Hub's files for tokenizers and preprocessors. Read as data: nothing they name is imported.

``tokenizer.json`` and ``preprocessor.json`` hold settings; the vocabulary is always in
``assets/tokenizer/vocabulary.txt`` of the same directory, whatever they say. Source:
keras_hub/src/utils/preset_utils.py, ``KerasPresetLoader`` and ``KerasPresetSaver``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from npbert.errors import ModelFileError, UnsafeModelError, UnsupportedModelError
from npbert.presets.savable import check_folder
from npbert.presets.save import add_assets
from npbert.text.tokenizer_settings import TokenizerSettings
from npbert.weights.atomic import replacing
from npbert.weights.shards import stays_inside
from npbert.weights.strict_json import read_object

TOKENIZER: Final = "tokenizer.json"
PREPROCESSOR: Final = "preprocessor.json"
VOCABULARY: Final = "assets/tokenizer/vocabulary.txt"

_MAX_BYTES: Final = 32_000_000  # Hugging Face has large files of the first name: they are refused
_PACKAGES: Final = ("keras_hub", "keras_nlp")
_KEYS: Final = ("lowercase", "strip_accents", "split", "suffix_indicator", "oov_token")
_IGNORED: Final = ("trainable", "config_file", "vocabulary")


# -- reading ---------------------------------------------------------------------------------------


def inside(directory: Path, name: str) -> Path:
    """A file of the preset.

    Raises:
        UnsafeModelError: it is a link that leads out of the directory.
    """
    path = directory / name
    if stays_inside(directory, path):
        return path
    raise UnsafeModelError(
        "a file of the preset is a link that leads out of its directory.",
        where=path,
        received=path.resolve(),
        fix="copy the file into the directory if you trust it",
    )


def read_tokenizer(directory: Path) -> dict[str, Any]:
    """The settings in a directory's tokenizer.json, as arguments of `BertTokenizer`.

    Raises:
        ModelFileError: the file is missing or damaged.
        UnsupportedModelError: another kind of tokenizer, or Hugging Face's format.
        UnsafeModelError: it names a file for the vocabulary.
        ConfigError: a setting is wrong, or has a name that nobody knows.
    """
    path = inside(directory, TOKENIZER)
    return tokenizer_arguments(read_object(path, max_bytes=_MAX_BYTES, error=ModelFileError), path)


def tokenizer_arguments(saved: Mapping[str, Any], where: object) -> dict[str, Any]:
    """As `read_tokenizer`, of what Keras made of a ``BertTokenizer``, in whatever file it is."""
    if "registered_name" not in saved:
        raise UnsupportedModelError(
            "the tokenizer is not in Keras Hub's format.",
            where=where,
            received=f"keys {', '.join(list(saved)[:8])}",
            expected='"registered_name" and "config"',
            fix="a Hugging Face directory has rules of its own: use Embedder, or a task",
        )
    if not is_class(saved, ("BertTokenizer",)):
        raise UnsupportedModelError(
            f"the tokenizer is a {saved['registered_name']!r}.",
            where=where,
            expected="keras_hub>BertTokenizer",
            fix="take a BERT with a WordPiece vocabulary, or the model's Hugging Face directory",
        )
    config = config_of(saved, where)
    _check_vocabulary(config.get("vocabulary"), where)
    settings = {key: value for key, value in config.items() if key not in _IGNORED}
    settings["dtype"] = _dtype(config.get("dtype", "int32"))
    TokenizerSettings.from_dict(_without_name(settings), where=where)
    return settings


def read_preprocessor(
    directory: Path, class_names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings in a directory's preprocessor.json, and those of the tokenizer.

    Args:
        directory: the preset.
        class_names: Keras Hub's names of the class. A file that is absent or another class's has no
            settings for this one, and the tokenizer's are then those of tokenizer.json.

    Raises:
        ModelFileError, UnsupportedModelError, UnsafeModelError, ConfigError: as for
            `read_tokenizer`.
    """
    path = inside(directory, PREPROCESSOR)
    saved = read_object(path, max_bytes=_MAX_BYTES, error=ModelFileError) if path.exists() else {}
    if not is_class(saved, class_names):
        return {}, read_tokenizer(directory)
    return preprocessor_arguments(saved, path)


def preprocessor_arguments(
    saved: Mapping[str, Any], where: object
) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `read_preprocessor`, of what Keras made of a preprocessor, in whatever file it is."""
    config = config_of(saved, where)
    tokenizer = config.get("tokenizer")
    if not isinstance(tokenizer, dict):
        raise ModelFileError(
            "the preprocessor has no tokenizer.",
            where=where,
            received=f"{tokenizer!r:.80}",
            fix="get the file again; it is damaged",
        )
    ignored = ("trainable", "dtype", "config_file", "tokenizer")
    settings = {key: value for key, value in config.items() if key not in ignored}
    return settings, tokenizer_arguments(cast("dict[str, Any]", tokenizer), where)


def is_class(saved: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether Keras registered the object under one of these names."""
    known = [f"{package}>{name}" for package in _PACKAGES for name in names]
    return saved.get("registered_name") in known


def config_of(saved: Mapping[str, Any], where: object) -> dict[str, Any]:
    """The object's ``config``.

    Raises:
        ModelFileError: it has none.
    """
    config = saved.get("config")
    if not isinstance(config, dict):
        raise ModelFileError(
            "the file has no config.",
            where=where,
            received=f"{config!r:.80}",
            expected='"config": {...}',
            fix="get the file again; it is damaged",
        )
    return cast("dict[str, Any]", config)


def _without_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "name"}


def _check_vocabulary(value: object, where: object) -> None:
    if value is None:
        return
    raise UnsafeModelError(
        "the tokenizer's settings bring a vocabulary of their own.",
        where=where,
        received=f"{value!r:.80}",
        expected=f'"vocabulary": null, and the tokens in {VOCABULARY}',
        fix="do not use this model unless you trust its author; set it to null",
    )


def _dtype(policy: Any) -> Any:
    """The name of a dtype policy, which is a name or what Keras makes of it."""
    inner = policy.get("config") if isinstance(policy, dict) else None
    return inner.get("name", policy) if isinstance(inner, dict) else policy


# -- writing ---------------------------------------------------------------------------------------


def tokenizer_config(name: str, settings: TokenizerSettings) -> dict[str, Any]:
    """``BertTokenizer.get_config()``: Keras Hub's keys in its order.

    ``split_on_cjk`` is none of them, so a tokenizer that has it off comes back with it on; here it
    is there when it is off, and Keras Hub understands it.
    """
    fields = dataclasses.asdict(settings)
    special = settings.special_tokens
    return {
        "name": name,
        "trainable": True,
        "dtype": policy(settings.dtype),
        "config_file": TOKENIZER,
        "vocabulary": None,
        "sequence_length": settings.sequence_length,
        **{key: fields[key] for key in _KEYS},
        "special_tokens": None if special is None else list(special),
        "special_tokens_in_strings": settings.special_tokens_in_strings,
        **({} if settings.split_on_cjk else {"split_on_cjk": False}),
    }


def policy(dtype: str) -> dict[str, Any]:
    """What Keras makes of a dtype."""
    names = {"module": "keras", "class_name": "DTypePolicy"}
    return {**names, "config": {"name": dtype}, "registered_name": None}


def serialized(module: str, class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What Keras makes of an object of Keras Hub's BERT."""
    return {
        "module": f"keras_hub.src.models.bert.{module}",
        "class_name": class_name,
        "config": dict(config),
        "registered_name": f"keras_hub>{class_name}",
    }


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """JSON as Keras writes it."""
    return json.dumps(value, indent=4).encode()


def save_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a directory, by their path in it: all of them, or none.

    Raises:
        ConfigError: the directory holds a Hugging Face model, whose tokenizer.json would be lost;
            or the system refused. What was there before is as it was.
    """
    check_folder(folder, "registered_name", "a Keras preset")
    with replacing(folder) as files:
        files.folder(folder)
        add_assets(files, folder, contents)
