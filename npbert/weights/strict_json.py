"""JSON that says one thing: no duplicate keys, no NaN, UTF-8, an object at the top.

The standard reader keeps the last of two equal keys and reads ``NaN``; a model file whose meaning
depends on the reader is refused instead.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from npbert.errors import NpbertError
from npbert.weights.files import read_whole

_FIX: Final = "get the file again; it is damaged or was edited by hand"


def parse_object(text: bytes, *, where: object, error: type[NpbertError]) -> dict[str, Any]:
    """The object that ``text`` holds.

    Args:
        text: UTF-8, without a byte order mark.
        where: the file, for messages.
        error: the class to raise.

    Raises:
        NpbertError: of the class ``error``, for anything else than one well-formed object.
    """
    try:
        value: Any = json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except UnicodeDecodeError as bad:
        raise error(
            f"not UTF-8 at byte {bad.start}.", where=where, received=_start(text), fix=_FIX
        ) from None
    except RecursionError:
        raise error("JSON is nested too deeply.", where=where, fix=_FIX) from None
    except ValueError as bad:
        what = f"not valid JSON: {bad}."
        raise error(what, where=where, received=_start(text), fix=_FIX) from None
    if not isinstance(value, dict):
        raise error(
            "not a JSON object.",
            where=where,
            received=type(value).__name__,
            expected='an object: {"name": value, ...}',
            fix=_FIX,
        )
    return cast("dict[str, Any]", value)


def read_object(path: Path, *, max_bytes: int, error: type[NpbertError]) -> dict[str, Any]:
    """The object in the file ``path``, which may have at most ``max_bytes``.

    Raises:
        ModelFileError: the file is missing, empty or not a regular file.
        NpbertError: of the class ``error``, when the content is not acceptable.
    """
    return parse_object(read_whole(path, max_bytes, error=error), where=path, error=error)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for key, value in pairs:
        if key in unique:
            raise ValueError(f"duplicate key {key!r}")
        unique[key] = value
    return unique


def _no_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


def _start(text: bytes) -> str:
    return f"{text[:40]!r}{'...' if len(text) > 40 else ''}"
