"""Where npbert keeps files of its own, and whether they can be trusted."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path


def user_cache() -> Path:
    """``NPBERT_CACHE_DIR``, else the system's usual place for caches; read anew at each call.

    Raises:
        OSError: this user has no home directory.
    """
    chosen = os.environ.get("NPBERT_CACHE_DIR")
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    if sys.platform == "win32":
        path = Path(os.environ.get("LOCALAPPDATA", ""), "npbert", "Cache")
    elif sys.platform == "darwin":
        path = Path(os.path.expanduser("~/Library/Caches/npbert"))
    else:
        xdg = os.environ.get("XDG_CACHE_HOME", "")
        path = Path(xdg if os.path.isabs(xdg) else os.path.expanduser("~/.cache"), "npbert")
    if not path.is_absolute():
        raise OSError("this user has no home directory")
    return path


def check_private(path: Path, status: os.stat_result, kind: int) -> None:
    """Refuse what anyone but this user and root made or can change.

    Root is trusted because nobody is safe from root: so that kernels which an image brings, made
    when it was built, serve whoever runs in it. (On Windows, the profile's own rules do so.)

    Args:
        path: for the message.
        status: of the file itself, not of what a link points to.
        kind: ``stat.S_IFREG`` or ``stat.S_IFDIR``.

    Raises:
        PermissionError: it is not of this kind, or others may have written it.
    """
    private = sys.platform == "win32" or (
        status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022
    )
    if not private or stat.S_IFMT(status.st_mode) != kind:
        raise PermissionError(f"{path} is a link, or another user owns it or may write to it")
