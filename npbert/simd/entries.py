"""The directory of compiled kernels: what lies where, what may be read, what is whole.

``CACHE/kernels/VERSION/TILE-TARGET/NAME-KEY``, where

* VERSION is a hash of the sources and versions (`npbert.simd.sources`);
* TILE is the name of the tile's shape (`npbert.simd.isa`), and TARGET a hash of what LLVM compiles
  for and of Numba's settings: what fits a process lies in one directory, which is there or is not;
* KEY is a hash of the whole key, which stands inside the file, with a SHA-256 of all of it: a file
  that is cut, flipped, renamed or stale is no entry.

An entry is a pickle, and a pickle is code: it is read only where this user or root owns the file
and the directories from ``kernels`` down, and nobody else can write to them. The SHA-256 is against
accidents, not attackers.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
from pathlib import Path

from npbert.simd import sources
from npbert.user_cache import check_private, user_cache

Target = tuple[str, str, str]
"""What LLVM compiles for: triple, CPU name, feature string."""

_MAGIC = b"npbert kernel 1\n"
_VERSIONS_KEPT = 3  # the last ones used
_UNFINISHED = ".tmp"
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


# -- directories -----------------------------------------------------------------------------------


def directory(tile: str, target: Target) -> Path:
    """Where entries of this tile and target lie; OSError where there is no place for any."""
    version = short_hash(repr((sources.SOURCES.digest, sources.versions())).encode())
    made_for = short_hash(repr((target, sources.settings())).encode())
    return user_cache() / "kernels" / version / f"{tile}-{made_for}"


def present(tile: str, target: Target) -> bool:
    """Whether there are entries of this tile and target that may be read; never raises."""
    try:
        found = directory(tile, target)
        check(found)
        with os.scandir(found) as files:
            return any(not each.name.endswith(_UNFINISHED) for each in files)
    except Exception:
        return False


def size(tile: str, target: Target) -> int:
    """Bytes of all entries of this tile and target; OSError where there are none."""
    return sum(each.stat().st_size for each in directory(tile, target).iterdir())


def check(found: Path) -> None:
    """Refuse a directory of entries that others could have written to.

    Above ``kernels`` nothing is asked: who renames directories there cannot make one that passes.

    Raises:
        OSError: it, or one above it that is npbert's, is not private, or is not there.
    """
    for each in (found.parents[1], found.parent, found):
        check_private(each, os.lstat(each), stat.S_IFDIR)


def make(found: Path) -> bool:
    """Make a directory of entries, and say whether its version is new; OSError."""
    new = not found.parent.exists()
    for each in (found.parents[1], found.parent, found):
        os.makedirs(each, mode=0o700, exist_ok=True)
    check(found)
    return new


def share(root: Path) -> None:
    """Let all users read what is kept in ``root``, and nobody but its owner write to it."""
    for folder, _, files in os.walk(root / "kernels"):
        os.chmod(folder, 0o755)
        for each in files:
            with contextlib.suppress(FileNotFoundError):  # another process has finished it
                os.chmod(os.path.join(folder, each), 0o644)


def _prune(kernels: Path) -> None:
    """Forget the kernels of old sources."""
    versions = [each for each in kernels.iterdir() if re.fullmatch("[0-9a-f]{32}", each.name)]
    versions.sort(key=lambda each: each.stat().st_mtime_ns, reverse=True)
    for each in versions[_VERSIONS_KEPT:]:
        shutil.rmtree(each, ignore_errors=True)


# -- one entry: magic, SHA-256 of the rest, key, NUL, pickle ---------------------------------------


def read(path: Path) -> bytes:
    """The content of a file that is private; OSError."""
    check(path.parent)
    with open(os.open(path, _READ), "rb") as file:
        check_private(path, os.fstat(file.fileno()), stat.S_IFREG)
        with contextlib.suppress(OSError):
            os.utime(path.parents[1])  # tells `_prune` what is in use
        return file.read()


def pickle_of(content: bytes, key: bytes) -> bytes:
    """The pickle in a file's content; ValueError where it is damaged or has another key."""
    head, body = content[: len(_MAGIC) + 32], content[len(_MAGIC) + 32 :]
    if head != _MAGIC + hashlib.sha256(body).digest() or not body.startswith(key + b"\0"):
        raise ValueError("damaged, or the entry of another key")
    return body[len(key) + 1 :]


def write(path: Path, key: bytes, pickled: bytes) -> None:
    """Keep an entry: whole, or not at all; OSError."""
    new, body = make(path.parent), key + b"\0" + pickled
    unfinished = path.with_name(os.urandom(8).hex() + _UNFINISHED)
    try:
        with open(os.open(unfinished, _CREATE, 0o600), "wb") as file:
            file.write(_MAGIC + hashlib.sha256(body).digest() + body)
        os.replace(unfinished, path)
    except BaseException:
        remove(unfinished)
        raise
    if new:
        with contextlib.suppress(OSError):
            _prune(path.parents[2])


def remove(path: Path) -> None:
    """Remove a file, if that can be done."""
    with contextlib.suppress(OSError):
        path.unlink()


def short_hash(content: bytes) -> str:
    """32 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:32]
