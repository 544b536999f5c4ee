"""Threads that work on one job belong on CPUs of their own.

Linux sees to it, mostly. But where the other CPUs sleep too deeply, as those of virtual machines
do, it puts a thread that wakes beside the one that woke it, and takes some milliseconds to notice.
That is as long as a short text: two threads on one CPU are slower than one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable


def _find() -> Callable[[], int] | None:
    """``sched_getcpu``, called without giving up the interpreter's lock; None where there is none.

    Source: sched_getcpu(3), of glibc and musl.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        return ctypes.PyDLL(None).sched_getcpu
    except (AttributeError, OSError):
        return None


_current_cpu = _find()


def spread(taken: list[int]) -> None:
    """Move this thread if it is on a CPU of ``taken``, and add the one it is on then.

    It stays free to go wherever it was allowed to: this is a push, and pins nothing.
    """
    if _current_cpu is None:
        return
    cpu = _current_cpu()
    if cpu in taken:
        with contextlib.suppress(OSError):
            allowed = os.sched_getaffinity(0)
            if others := allowed.difference(taken):
                try:
                    os.sched_setaffinity(0, others)
                finally:
                    os.sched_setaffinity(0, allowed)
                cpu = _current_cpu()
    taken.append(cpu)
