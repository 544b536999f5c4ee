"""A file that HDF5 writes to and that never tells it of an error.

When HDF5 cannot write what it holds, on a full disk say, it cannot close the file either, and keeps
it half open until the process crashes or ends (seen with HDF5 1.14). So it is told that all went
well, and the error is raised once it has let go.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any


class Sink:
    """What h5py asks of a file object. After the first error nothing more is written.

    Args:
        raw: an unbuffered file, open for reading and writing.
    """

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self._error: BaseException | None = None

    def check(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._error is not None:
            raise self._error

    def read(self, size: int) -> bytes:
        """h5py looks for this, and calls `readinto`."""
        return self._raw.read(size) or b""

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``; with what was never written, if there was an error."""
        return self._kept(lambda: self._raw.readinto(buffer), len(buffer))

    def write(self, data: Any) -> int:
        """All of ``data``, as far as HDF5 learns."""

        def whole() -> int:
            view = memoryview(data).cast("B")
            done = 0
            while done < len(view):
                done += self._raw.write(view[done:])
            return done

        return self._kept(whole, len(data))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As any file's."""
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        """As any file's."""
        return self._raw.tell()

    def truncate(self, size: int | None = None) -> int:
        """As any file's, or nothing."""
        return self._kept(lambda: self._raw.truncate(size), size or 0)

    def flush(self) -> None:
        """Nothing is held back."""

    def _kept(self, action: Callable[[], int], otherwise: int) -> int:
        if self._error is None:
            try:
                return action()
            except BaseException as error:  # Ctrl-C too: HDF5 would lose its hold
                self._error = error
        return otherwise
