"""Whose turn it is: passes that run at the same time use no more threads than there are CPUs.

Threads that share a pass wait for each other inside kernels, which is quick only while all of them
run. With fifty callers on two CPUs each such wait would last until the system has gone round all
the others. So callers stand in a line. One that finds nobody there gets every thread it asks for;
one that had to wait gets an equal share, which under load is one. A pass that waits holds no
scratch memory.

A turn is a courtesy, and no right: where nobody has left for `PATIENCE` seconds, whoever is at work
is counted no longer, and the next ones begin. So a long pass holds up nobody for long, and neither
does a turn that was never given back, after a Ctrl-C at the wrong moment; its own caller does not
wait for it at all.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from npbert.engine import threads

PATIENCE: Final = 0.5

Result = TypeVar("Result")


class _Turn:
    """One caller's. It begins when ``threads``, how many it may use, is not 0."""

    def __init__(self, wanted: int) -> None:
        self.wanted, self.threads = wanted, 0
        self.caller = threading.get_ident()
        self.begin = threading.Lock()  # open once it begins
        self.begin.acquire()


class Line:
    """Callers in the order in which they came.

    Args:
        places: how many threads may be at work, over all callers.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._turns: list[_Turn] = []
        self._left = 0  # how many callers ever were done
        self._lock = threading.RLock()  # a signal's handler may come here in the midst of it

    def take(self, wanted: int, work: Callable[[int], Result]) -> Result:
        """Wait, then call ``work`` with the number of threads that it may use."""
        turn = _Turn(wanted)
        try:
            self._enter(turn)
            self._wait(turn)
            return work(turn.threads)
        finally:
            self._leave(turn)

    def _enter(self, turn: _Turn) -> None:
        with self._lock:
            # A turn that this caller still has, Ctrl-C kept from being given back.
            self._turns = [each for each in self._turns if each.caller != turn.caller] + [turn]
            if len(self._turns) == 1:  # also more than there are CPUs, if that is what it wants
                turn.threads = turn.wanted
            else:
                self._begin(turn.wanted)

    def _wait(self, turn: _Turn) -> None:
        left = -1
        while not turn.threads:
            if turn.begin.acquire(timeout=PATIENCE):
                return
            with self._lock:
                if left == self._left:
                    self._turns = [each for each in self._turns if not each.threads]
                    self._begin(self._share())
                left = self._left

    def _leave(self, turn: _Turn) -> None:
        with self._lock:
            share = self._share()
            self._turns = [each for each in self._turns if each is not turn]
            self._left += 1
            self._begin(share)

    def _share(self) -> int:
        """Of each caller that is here now."""
        return max(1, self._places // max(1, len(self._turns)))

    def _begin(self, most: int) -> None:
        """Let callers begin while there are places, with at most so many threads each."""
        free = self._places - sum(turn.threads for turn in self._turns)
        for turn in self._turns:
            if not turn.threads and free > 0:
                turn.threads = min(turn.wanted, most, free)
                free -= turn.threads
                turn.begin.release()


_line: Line | None = None


def take(wanted: int, work: Callable[[int], Result]) -> Result:
    """`Line.take` of this process's line, with as many places as there are CPUs."""
    global _line
    if _line is None:
        _line = Line(threads.available()[0])
    return _line.take(wanted, work)


def _forget() -> None:
    """In a forked child: those who stood in line are gone."""
    global _line
    _line = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
