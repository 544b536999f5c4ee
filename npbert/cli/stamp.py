"""What decides the vectors of an output, so that two outputs can be told to belong together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from npbert.errors import InputError, ModelFileError
from npbert.presets.remembered import sha256_of
from npbert.weights.strict_json import read_object

_PARTS: Final = (
    *("config.json", "model*.json", "model*.h5", "model*.safetensors"),
    *("tokenizer*.json", "vocab.txt", "special_tokens_map.json", "added_tokens.json"),
    *("preprocessor.json", "task.json", "assets/tokenizer/*"),
    *("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
    *("*/config.json", "*/model.safetensors"),
)
"""What a model may be loaded from, in its directory."""

_MAX_BYTES: Final = 1_000_000

Stamp = Mapping[str, Any]


def model_sha256(path: Path) -> str:
    """One hash over the names and contents of the files that a model is loaded from.

    Args:
        path: its directory or archive.
    """
    files = [path]
    if path.is_dir():
        files = sorted({file for part in _PARTS for file in path.glob(part) if file.is_file()})
    lines = [f"{file.relative_to(path)} {sha256_of(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def stamp_path(output: Path) -> Path:
    """Where the stamp of an output is: beside it, and not beside a link to it."""
    output = output.resolve()
    return output.with_name(f"{output.name}.stamp.json")


def read_stamp(output: Path) -> Stamp:
    """The stamp of an output that is whole.

    Raises:
        ModelFileError: there is none, or it is damaged.
    """
    path = stamp_path(output)
    if not path.exists():
        raise ModelFileError(
            "the output has no stamp, so nothing says which model made it.",
            where=output,
            expected=path.name,
            fix="compute it again without --reuse",
        )
    return read_object(path, max_bytes=_MAX_BYTES, error=ModelFileError)


def check_same(found: Stamp, wanted: Stamp, where: Path, fix: str) -> None:
    """Refuse vectors that this run would not have made.

    Raises:
        InputError: the stamps differ; the message has what differs.
    """
    keys = [key for key in {**wanted, **found} if found.get(key) != wanted.get(key)]
    if keys:
        raise InputError(
            f"it was made with another {', '.join(keys)}.",
            where=where,
            received=_shown(found, keys),
            expected=_shown(wanted, keys),
            fix=fix,
        )


def _shown(stamp: Stamp, keys: list[str]) -> str:
    return json.dumps({key: stamp.get(key) for key in keys}, ensure_ascii=False)
