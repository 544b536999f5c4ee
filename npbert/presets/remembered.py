"""File hashes known to be right, so that a large file is hashed once and not at every start.

The memory is a convenience: where it cannot be read or written, or is not private to the user, the
file is simply hashed again. Nothing here raises for a bad cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Final, cast

from npbert.errors import ConfigError
from npbert.user_cache import check_private, user_cache
from npbert.weights.atomic import replacing
from npbert.weights.files import open_regular

_FILE: Final = "verified.json"
_MAX_BYTES: Final = 1_000_000


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, from memory while its size and modification time stay the same.

    Args:
        path: a regular file.

    Returns:
        64 hexadecimal digits.

    Raises:
        ModelFileError: the file cannot be read.
    """
    known = _read()
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        key = f"{path.resolve()}:{status.st_size}:{status.st_mtime_ns}"
        if key not in known:
            known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            _write(known)
    return known[key]


def _read() -> dict[str, str]:
    try:
        folder = user_cache()
        check_private(folder, os.lstat(folder), stat.S_IFDIR)
        check_private(folder / _FILE, os.lstat(folder / _FILE), stat.S_IFREG)
        text = (folder / _FILE).read_bytes()
        value: object = json.loads(text) if len(text) <= _MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    pairs = cast("dict[str, object]", value).items()
    return {key: digest for key, digest in pairs if isinstance(digest, str)}


def _write(known: dict[str, str]) -> None:
    """Replace the memory in one step: a reader sees the old file or the new one."""
    with contextlib.suppress(OSError, ConfigError):
        folder = user_cache()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(folder, os.lstat(folder), stat.S_IFDIR)
        with replacing(folder) as files:
            files.file(folder / _FILE, mode=0o600).write_text(json.dumps(known), encoding="utf-8")
