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
import sys
import tempfile
from pathlib import Path
from typing import Final, cast

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
    folder = cache_directory()
    known = _read(folder)
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        key = f"{path.resolve()}:{status.st_size}:{status.st_mtime_ns}"
        if key not in known:
            known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            _write(folder, known)
    return known[key]


def cache_directory() -> Path:
    """Where npbert keeps files of its own: ``NPBERT_CACHE_DIR``, else the system's usual place."""
    if chosen := os.environ.get("NPBERT_CACHE_DIR"):
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~"), "npbert")
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches/npbert"))
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return Path(xdg if os.path.isabs(xdg) else os.path.expanduser("~/.cache"), "npbert")


def _read(folder: Path) -> dict[str, str]:
    try:
        if not _is_private(folder) or not _is_private(folder / _FILE):
            return {}
        text = (folder / _FILE).read_bytes()
        value: object = json.loads(text) if len(text) <= _MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    pairs = cast("dict[str, object]", value).items()
    return {key: digest for key, digest in pairs if isinstance(digest, str)}


def _write(folder: Path, known: dict[str, str]) -> None:
    """Replace the memory in one step: a reader sees the old file or the new one."""
    if not folder.is_absolute():  # a user without a home
        return
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(folder):
            return
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=_FILE)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(known, file)
            os.replace(temporary, folder / _FILE)
        except OSError:
            os.unlink(temporary)


def _is_private(path: Path) -> bool:
    """Whether only this user can have written ``path``: another's word is not taken."""
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return False
    if sys.platform == "win32":
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o022
