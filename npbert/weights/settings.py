"""Small JSON files with settings, such as a library writes beside a model: typed, or an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from npbert.errors import ModelFileError
from npbert.weights.strict_json import read_object

MAX_BYTES: Final = 4_000_000  # tokenizer_config.json may list thousands of tokens


def read_settings(path: Path) -> dict[str, Any]:
    """The object in the file; none where there is no file.

    Raises:
        ModelFileError: it is damaged.
    """
    if not path.exists():
        return {}
    return read_object(path, max_bytes=MAX_BYTES, error=ModelFileError)


def boolean(fields: dict[str, Any], key: str, default: bool, path: Path) -> bool:
    """``fields[key]``, or ``default`` where it is absent.

    Raises:
        ModelFileError: it is something else than true or false.
    """
    value = fields.get(key, default)
    if isinstance(value, bool):
        return value
    raise damaged(path, f"true or false as {key}", value)


def whole(fields: dict[str, Any], key: str, path: Path) -> int | None:
    """``fields[key]``, or None where it is absent or null.

    Raises:
        ModelFileError: it is something else than an int of 1 or more.
    """
    value = fields.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise damaged(path, f"an int of 1 or more as {key}", value)


def damaged(path: Path, expected: str, received: object) -> ModelFileError:
    """The error for a file whose JSON is well formed, and says something else than it should."""
    return ModelFileError(
        "the file does not have the form that its library writes.",
        where=path,
        received=f"{received!r:.80}",
        expected=expected,
        fix="download the file again",
    )
