"""The one process that reads HDF5 files for this one: started once, waited for so long, ended.

What it runs is `h5_child`. It ends with this process, whose end of the pipe is then closed. A fork
of this process does not share it, and starts its own.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from pathlib import Path
from typing import Final, TypeVar, cast

from npbert.errors import ModelFileError

START_SECONDS: Final = 60.0

_SCRIPT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from npbert.weights.h5_child import serve; serve()"
)

Result = TypeVar("Result")


class Useless(Exception):
    """The child did something else than answer, and is not to be used again. Says what it did."""


class Child:
    """The process, and unbuffered pipes to and from it."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            command(),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is this process's to handle
        )
        self._to = cast(io.FileIO, self.process.stdin)
        self._from = cast(io.FileIO, self.process.stdout)
        self._thread = threading.Thread()

    def use(self, seconds: float, work: Callable[[], Result]) -> Result:
        """What ``work`` returns, which may wait for the child. After an error the child is ended.

        Raises:
            Useless: the child ended, did not answer in time or answered nonsense.
        """
        # A thread can be left behind on every system, also when someone else keeps the pipe open.
        ended: Future[Result] = Future()
        self._thread = threading.Thread(target=_settle, args=(ended, work), daemon=True)
        try:
            self._thread.start()
            return ended.result(seconds)
        except TimeoutError:
            self.stop()
            raise Useless(f"no answer within {seconds:.0f} s") from None
        except (EOFError, OSError):
            raise Useless(_end(self.stop(patience=1.0))) from None
        except BaseException:
            self.stop()
            raise

    def send(self, message: bytes) -> None:
        """Write all of ``message``."""
        view = memoryview(message)
        while view:
            view = view[self._to.write(view) :]

    def fill(self, view: memoryview) -> None:
        """Read until ``view``, of bytes, is full."""
        while view:
            size = self._from.readinto(view)
            if not size:
                raise EOFError
            view = view[size:]

    def stop(self, patience: float = 0.0) -> int:
        """Its exit code. It is killed unless it ends by itself in ``patience`` seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience)
        self.process.kill()
        code = self.process.wait()
        if self._thread.ident is not None:
            self._thread.join(1.0)
        if not self._thread.is_alive():  # else it reads, and must not find another file there
            self.close()
        return code

    def close(self) -> None:
        """Close this process's ends of the pipes."""
        self._to.close()
        self._from.close()


def _settle(ended: Future[Result], work: Callable[[], Result]) -> None:
    try:
        ended.set_result(work())
    except BaseException as error:
        ended.set_exception(error)


def _end(code: int) -> str:
    """What an exit code says."""
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        return f"it was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was ended by signal {-code}"


# -- the one child ---------------------------------------------------------------------------------

_lock = threading.Lock()
_child: Child | None = None


@contextlib.contextmanager
def child() -> Generator[Child]:
    """The child, for one caller at a time; started where none runs.

    Raises:
        ModelFileError: it does not start.
    """
    global _child
    with _lock:
        if _child is None or _child.process.poll() is not None:
            stop()
            _child = _start()
        yield _child


def _start() -> Child:
    try:
        new = Child()
        new.use(START_SECONDS, lambda: new.fill(memoryview(bytearray(1))))
    except (OSError, Useless) as error:
        raise ModelFileError(
            "the process that reads files which are not trusted cannot be started.",
            where=sys.executable,
            received=error,
            fix="check that this Python can import h5py",
        ) from None
    return new


def command() -> list[str]:
    """The same Python and packages, and nothing else from the environment or this directory."""
    here = str(Path(__file__).parents[2])
    paths = [path if os.path.isabs(path) else here for path in sys.path]
    paths += [here] * (here not in paths)
    return [sys.executable, "-I", "-c", _SCRIPT, json.dumps(paths)]


def environment() -> dict[str, str]:
    """This process's, and one heap for all threads.

    Where memory ran out, glibc may reserve 64 MB of address space for another heap, and they would
    count against the next file's limit: one time in 25 for files that take too much.
    """
    return os.environ | {"MALLOC_ARENA_MAX": "1"}


@atexit.register
def stop() -> None:
    """End the child if there is one; the next file starts another."""
    global _child
    if _child is not None:
        _child.stop()
        _child = None


def _forget() -> None:
    """In a forked child: the process is the parent's, and the lock may be held by a thread."""
    global _lock, _child
    if _child is not None:
        _child.close()
        _child.process.returncode = 0  # it is not this process's to wait for
    _lock, _child = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
