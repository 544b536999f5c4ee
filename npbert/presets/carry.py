"""The files beside a model's weights that a converted model needs too: tokenizer and pooling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from npbert.config import BertConfig
from npbert.errors import ModelFileError
from npbert.weights.files import read_whole
from npbert.weights.module_list import MODULES, module_files
from npbert.weights.shards import stays_inside
from npbert.weights.strict_json import parse_object

MAX_BYTES: Final = 100_000_000

_HUGGING_FACE: Final = (
    *("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"),
    *("added_tokens.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
    MODULES,
)
_BY_HAND: Final = "copy the directory's own files by hand"
_KERAS_VOCABULARY: Final = "assets/tokenizer/vocabulary.txt"
_KERAS: Final = (
    *("tokenizer.json", "preprocessor.json", _KERAS_VOCABULARY, "task.json", "task.weights.h5"),
)


def carried(folder: Path, kind: str, to: str, config: BertConfig) -> dict[str, bytes]:
    """The files to write beside the converted weights, by their path in the directory.

    From Keras Hub to Hugging Face, the vocabulary and whether it is lower case are carried; the
    other way `npbert.text.to_keras` makes the files.

    Args:
        folder: the source.
        kind, to: ``"keras"`` or ``"hugging_face"``, of the source and of what it becomes.
        config: the model's.

    Raises:
        ModelFileError: one of the files is no plain file of the model, or too large.
    """
    if kind == to:
        names = _KERAS if kind == "keras" else _HUGGING_FACE
        found = {name: _read(folder, name) for name in names}
        if found.get(MODULES):
            found |= {name: _read(folder, name) for name in module_files(folder / MODULES)}
    elif kind == "keras":
        found = _vocabulary(folder, config)
    else:
        found = {}
    return {name: content for name, content in found.items() if content is not None}


def _vocabulary(folder: Path, config: BertConfig) -> dict[str, bytes | None]:
    """Both libraries keep one token a line."""
    vocabulary, described = _read(folder, _KERAS_VOCABULARY), _read(folder, "tokenizer.json")
    if vocabulary is None or described is None:
        return {}
    where = folder / "tokenizer.json"
    raw: Any = parse_object(described, where=where, error=ModelFileError).get("config")
    settings = {
        "do_lower_case": isinstance(raw, dict) and raw.get("lowercase") is True,
        "strip_accents": isinstance(raw, dict) and raw.get("strip_accents") is True,
        "model_max_length": config.max_sequence_length,
        "tokenizer_class": "BertTokenizer",
    }
    return {"vocab.txt": vocabulary, "tokenizer_config.json": json.dumps(settings).encode()}


def _read(folder: Path, name: str) -> bytes | None:
    """A file's content, None if there is none."""
    path = folder / name
    if not path.exists():
        return None
    if not stays_inside(folder, path):
        what = "a file of the model is a link that leads out of it."
        raise ModelFileError(what, where=path, fix=_BY_HAND)
    return read_whole(path, MAX_BYTES, fix=_BY_HAND)
