"""Files that take their names only when they are whole and on disk, one or several at once.

Each is written under a temporary name in the directory where it belongs, synced, and renamed. Until
then an old file of that name stays as it was; after an error, a full disk or Ctrl-C, nothing of the
new ones is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, Final

from npbert.errors import ConfigError

_BINARY: Final = getattr(os, "O_BINARY", 0)


class Replacement:
    """New files that belong together. Made by `replacing`, which puts them in place.

    A link among the old files is replaced itself; what it points to stays as it is.
    """

    def __init__(self) -> None:
        self._renames: list[tuple[Path, Path, int | None]] = []
        self._scratch: list[Path] = []
        self._removals: list[Path] = []
        self._made: list[Path] = []

    def folder(self, path: Path) -> Path:
        """A directory, which is made if there is none, and then unmade after an error.

        Raises:
            ConfigError: ``path`` is there, and no directory.
        """
        if path.is_dir():
            return path
        if os.path.lexists(path):
            raise ConfigError(
                "this is not a directory.",
                where=path,
                expected="a directory, or a name that is not taken",
                fix="choose another name",
            )
        # The deepest first, which is the order to remove them in.
        missing = [each for each in (path, *path.parents) if not os.path.lexists(each)]
        self._made = [*missing, *self._made]
        path.mkdir(parents=True)
        return path

    def file(self, path: Path, mode: int | None = None) -> Path:
        """Where to write what is to be called ``path``. Files take their names in this order.

        Args:
            path: the name; its directory exists.
            mode: the permissions; None keeps the old file's, or leaves them to the umask.

        Raises:
            ConfigError: ``path`` is there, and neither a file nor a link.
        """
        old = _check_target(path)
        temporary = self._new(path.parent, 0o666 if mode is None else mode)
        self._renames.append((temporary, path, old if mode is None else None))
        return temporary

    def scratch(self, folder: Path) -> Path:
        """An empty file in ``folder`` that is gone in the end."""
        return self._new(folder, 0o600)

    def json(self, path: Path, value: Mapping[str, Any]) -> None:
        """A file of JSON as Keras writes it."""
        self.file(path).write_text(json.dumps(value, indent=4), encoding="utf-8")

    def remove(self, path: Path) -> None:
        """Remove an old file, just before the last of the new ones takes its name."""
        self._removals.append(path)

    def _new(self, folder: Path, mode: int) -> Path:
        temporary = folder / f".npbert-{token_hex(8)}.tmp"
        self._scratch.append(temporary)  # first, so that it is removed whatever happens next
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, mode))
        return temporary

    def _commit(self) -> None:
        for temporary, _, mode in self._renames:
            _sync(temporary)
            if mode is not None:
                os.chmod(temporary, mode)
        folders = {path.parent for _, path, _ in self._renames}
        try:
            self._rename()
        except KeyboardInterrupt:
            self._rename(again=True)  # old files may be gone: the only way back is forward
            raise
        for folder in folders:
            with contextlib.suppress(OSError):  # not every system can sync a directory
                _sync(folder, os.O_RDONLY)

    def _rename(self, again: bool = False) -> None:
        while self._renames:
            if len(self._renames) == 1:
                for old in self._removals:
                    old.unlink(missing_ok=True)
            temporary, path, _ = self._renames[0]
            if temporary.exists() or not again:  # again: the interruption may have come just here
                os.replace(temporary, path)
            self._renames.pop(0)

    def _clean(self) -> None:
        for temporary in self._scratch:
            temporary.unlink(missing_ok=True)

    def _unmake(self) -> None:
        self._clean()
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextmanager
def replacing(where: Path) -> Generator[Replacement]:
    """Files that replace old ones together, when the block has ended well.

    Args:
        where: the file or the directory that is written, for messages.

    Raises:
        ConfigError: the system refused: the disk is full, a directory may not be written to. The
            old files are as they were.
    """
    files = Replacement()
    try:
        yield files
        files._commit()
    except OSError as error:
        files._unmake()
        raise _refused(where, error) from error
    except BaseException:
        files._unmake()
        raise
    files._clean()


@contextmanager
def atomic_write(path: Path, mode: int | None = None) -> Generator[BinaryIO]:
    """One file, open for writing. A link stays a link, to the new content.

    Args:
        path: its name.
        mode: as in `Replacement.file`.

    Raises:
        ConfigError: as in `replacing`; or ``path`` is a directory or a device.
    """
    with replacing(path) as files, open(files.file(_target(path), mode), "wb") as file:
        yield file


@contextmanager
def replacing_file(path: Path) -> Generator[Path]:
    """As `atomic_write`, for what opens files by itself: yields the name to write to."""
    with replacing(path) as files:
        yield files.file(_target(path))


def _target(path: Path) -> Path:
    """What a link points to, so that the link stays one."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a cycle of links; a NUL
        raise _refused(path, error) from error


def _check_target(path: Path) -> int | None:
    """The permissions of the old file, None if there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a device, a pipe or a socket"
        raise ConfigError(
            "no file can be written here.",
            where=path,
            received=kind,
            expected="a file to replace, or a name that is not taken",
            fix="choose another name",
        )
    return stat.S_IMODE(status.st_mode)


def _sync(path: Path, flags: int = os.O_RDWR) -> None:
    descriptor = os.open(path, flags | _BINARY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(where: Path, error: Exception) -> ConfigError:
    return ConfigError(
        "the files could not be written; what was there before is as it was.",
        where=where,
        received=getattr(error, "strerror", None) or error,
        expected="a directory that may be written to, with room in it",
        fix="free some space, or choose another place",
    )
