"""A preset as a task needs it: the backbone, how texts are read, what its files say of a head."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from npbert.backbone import BertBackbone
from npbert.errors import ConfigError
from npbert.ops.types import Array
from npbert.presets import load_preset
from npbert.tasks.readers import TextReader
from npbert.tasks.task import Reader
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.keras_files import TOKENIZER, is_class, preprocessor_arguments
from npbert.text.preprocessor import Preprocessor
from npbert.text.vocabulary import tokens_in
from npbert.weights.keras_archive import open_archive

SAVED: Final = "saved"
"""What ``preprocessor`` is in ``from_preset`` unless the caller says something else."""

_VOCABULARY: Final = "assets/preprocessor/tokenizer/vocabulary.txt"
_MAX_BYTES: Final = 128_000_000


class Source(NamedTuple):
    """Where a task comes from.

    Args:
        kind: who wrote the files; a built-in has none.
        path: a directory, a ``.keras`` archive, or None for a built-in.
        load_weights: whether the head's weights are asked for too.
        trust: as in `load_preset`.
        dtype: what the backbone keeps its weights in, and the head is to keep its own in.
    """

    kind: Literal["keras", "hugging_face", "built-in"]
    path: Path | None
    load_weights: bool
    trust: bool
    dtype: str = "float32"


class SavedHead(NamedTuple):
    """A head, as a `Source` has it.

    Args:
        settings: what the task is to be made with, beside backbone and preprocessor.
        weights: the head's tensors; None for random ones.
        task: what task.json says of the task, None where there is none.
    """

    settings: dict[str, Any]
    weights: dict[str, Array] | None
    task: Mapping[str, Any] | None = None


def open_preset(
    preset: str | os.PathLike[str],
    *,
    load_weights: bool,
    trust: bool,
    num_threads: int | None,
    dtype: object,
) -> tuple[Source, BertBackbone]:
    """The backbone, and where it was found; errors are those of `load_preset`."""
    loaded = load_preset(preset, load_weights=load_weights, trust=trust, dtype=dtype)
    backbone = BertBackbone._from_loaded(loaded, num_threads=num_threads)
    width = backbone.variable_dtype
    return Source(loaded.kind, loaded.path, load_weights, trust, width), backbone


def reader(
    source: Source,
    backbone: BertBackbone,
    preprocessor: object,
    kind: type[Preprocessor],
    task: Mapping[str, Any] | None,
    max_seq_length: int | None,
) -> Any:
    """What makes token ids of texts, or None where there is nothing to make one of.

    Args:
        source, backbone: of `open_preset`.
        preprocessor: what the caller asked for; `SAVED` is the model's own.
        kind: Keras Hub's class of it for the task.
        task: the settings of the task that was saved.
        max_seq_length: replaces the limit that the files state.
    """
    if preprocessor != SAVED:
        if max_seq_length is not None:
            raise ConfigError(
                "max_seq_length goes with the model's own preprocessor.",
                received=f"max_seq_length={max_seq_length!r}, preprocessor={preprocessor!r:.80}",
                fix="set sequence_length of the preprocessor",
            )
        return preprocessor
    if source.path is None:
        return None
    if source.kind == "hugging_face":
        return TextReader.from_directory(source.path, backbone.config, max_seq_length)
    return _of_keras(source.path, kind, task, max_seq_length)


def _of_keras(
    path: Path, kind: type[Preprocessor], task: Mapping[str, Any] | None, length: int | None
) -> Reader | None:
    """A task that was saved without preprocessor has none; nor has a directory of weights alone."""
    if task is not None and task.get("preprocessor") is None:
        return None
    longest = {} if length is None else {"sequence_length": length}
    if path.is_dir():
        return kind.from_preset(path, **longest) if (path / TOKENIZER).exists() else None
    saved = {} if task is None else task["preprocessor"]
    if not isinstance(saved, dict) or not is_class(saved, kind.class_names):
        return None
    return kind(**(_in_archive(path, saved) | longest))


def _in_archive(path: Path, saved: dict[str, Any]) -> dict[str, Any]:
    """The preprocessor in a ``.keras`` archive, as arguments; its vocabulary is a file there."""
    settings, of_tokenizer = preprocessor_arguments(saved, path)
    with open_archive(path) as archive:
        tokens = tokens_in(archive.read(_VOCABULARY, _MAX_BYTES), path)
    return {**settings, "tokenizer": BertTokenizer(tokens, **of_tokenizer)}
