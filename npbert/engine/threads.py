"""npbert's own threads: how many, and how work is shared out.

Threads start when the first call needs them, are daemons, block a millisecond after they last
worked, and are made again in a forked child. A caller works on its own job too, so any number of
threads may call at once: with every helper busy elsewhere, a job simply runs on its caller.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from npbert.engine.placement import spread
from npbert.errors import ConfigError
from npbert.simd.barrier import linger_kernel

_VARIABLE = "NPBERT_NUM_THREADS"
_MOST_THREADS = 1024


def thread_count(requested: int | None = None) -> tuple[int, str]:
    """How many threads to use, and why.

    The argument decides, then ``NPBERT_NUM_THREADS``, then the smaller of the CPUs this process may
    run on and the CPU time its container may use.

    Raises:
        ConfigError: not a whole number from 1 to 1024.
    """
    if requested is not None:
        return _checked(requested, "num_threads"), "the num_threads argument"
    if (text := os.environ.get(_VARIABLE)) is not None:
        number = int(text) if text.isascii() and text.isdigit() else text
        return _checked(number, f"environment variable {_VARIABLE}"), _VARIABLE
    return available()


def available() -> tuple[int, str]:
    """How many threads can run at once, and what says so."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _container_quota()
    if quota is not None and quota < cpus:
        return quota, f"the container's quota ({cpus} CPUs are visible)"
    return cpus, "the CPUs this process may use"


def _checked(number: object, where: str) -> int:
    whole = isinstance(number, Integral) and not isinstance(number, bool)
    if whole and 1 <= int(number) <= _MOST_THREADS:  # type: ignore[call-overload]
        return int(number)  # type: ignore[call-overload]
    raise ConfigError(
        "the number of threads must be a whole number.",
        where=where,
        received=repr(number),
        expected=f"1 to {_MOST_THREADS}",
        fix="leave it unset to use every CPU this process may",
    )


def _container_quota(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """CPUs' worth of time that the cgroup grants, rounded up; None without a limit."""
    try:
        if (root / "cpu.max").exists():  # cgroup v2
            quota, period = (root / "cpu.max").read_text().split()
        else:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text()
        return max(1, math.ceil(int(quota) / int(period))) if int(quota) > 0 else None
    except (OSError, ValueError):  # no cgroups, or "max"
        return None


class Job:
    """Tasks that any thread may take, one after the other.

    Ctrl-C can raise between any two lines of the caller's thread, and in no other thread. A lock
    could be left closed by it, and a helper that waits for it would be lost: so there is none here,
    only operations of lists, sets and queues that are one step each.

    Args:
        abandon: called once a task failed or the caller was interrupted; it must let tasks end that
            wait for each other.
    """

    def __init__(self, abandon: Callable[[], None]) -> None:
        self._abandon = abandon
        self._waiting: list[Callable[[], None]] = []
        self._cpus: list[int] = []  # of the threads that came
        self._here: set[int] = set()  # threads that look for a task, or have one
        self._at_work: set[int] = set()  # threads that have one
        self._error: BaseException | None = None
        self._ended: SimpleQueue[None] = SimpleQueue()  # an item for each task that ended

    @property
    def active(self) -> bool:
        """Whether a task waits or runs."""
        return bool(self._waiting or self._at_work)

    def run(
        self, tasks: Sequence[Callable[[], None]], helpers: int, *, together: bool = False
    ) -> bool:
        """Run the tasks, the first one first, on this thread and up to ``helpers`` others.

        Returns False, with nothing run, where they must run ``together`` and no helper is free.
        """
        try:
            self._waiting = [*reversed(tasks)]
            if not _hand_out(self, helpers, only_if_free=together):
                return False
            self.work()
            if together and self._error is None:
                # The others have computed their part too, or this one would still wait for them.
                # On their way out they need the interpreter, which may take them a while.
                self._here.clear()
                self._at_work.clear()
        except BaseException as error:
            self.stop(error)
        self._finish()
        return True

    def work(self) -> None:
        """Take and run tasks until none waits."""
        spread(self._cpus)
        me = threading.get_ident()
        while True:
            self._here.add(me)  # before it takes one, so that no task is ever out of sight
            try:
                task = self._waiting.pop()
            except IndexError:
                self._here.discard(me)
                return
            try:
                self._at_work.add(me)
                task()
            except BaseException as error:  # handed to the caller, whichever thread this is
                self.stop(error)
            finally:
                self._at_work.discard(me)
                self._here.discard(me)
                self._ended.put(None)

    def stop(self, error: BaseException) -> None:
        """Drop what waits; the first error is the one that counts."""
        self._waiting.clear()
        self._error = self._error or error
        self._abandon()

    def _finish(self) -> None:
        """Wait for the tasks that other threads took, then raise what went wrong.

        The wait wakes ten times a second, so that Ctrl-C is seen on every platform.
        """
        me = threading.get_ident()  # may still stand in the set, if it was interrupted
        while True:
            try:
                while self._here - {me}:
                    with contextlib.suppress(Empty):
                        self._ended.get(timeout=0.1)
                break
            except BaseException as error:  # stop the others, then wait for them
                self.stop(error)
        if self._error is not None:
            raise self._error


class _Ticket:
    """Asks one helper to work on a job."""

    def __init__(self, job: Job) -> None:
        self.job = job


_queue: SimpleQueue[_Ticket] = SimpleQueue()
_bell = np.zeros(1, np.int64)  # how often something was put into the queue
_helpers = 0
_tickets: set[_Ticket] = set()  # in the queue, or with a helper
_lock = threading.RLock()  # of those who hand out; a signal's handler may come here in the midst


def run(
    tasks: Sequence[Callable[[], None]], threads: int, abandon: Callable[[], None] = lambda: None
) -> None:
    """Run the tasks on at most ``threads`` threads, the caller's among them, to the end.

    ``abandon`` is called when one of them fails, or the caller is interrupted: tasks that wait are
    dropped, and it may tell the others to end early.
    """
    Job(abandon).run(tasks, min(threads, len(tasks)) - 1)


def run_together(tasks: Sequence[Callable[[], None]], abandon: Callable[[], None]) -> bool:
    """Run tasks that wait for each other, each on a thread of its own, the caller's among them.

    The last thing that each does is to wait for the others: where one has ended, all have.
    Returns False, with nothing run, where helpers are busy with other callers: tasks that wait for
    one that has no thread would wait for long. ``abandon`` is called when one of them fails, or the
    caller is interrupted; it must let the others end.
    """
    return Job(abandon).run(tasks, len(tasks) - 1, together=True)


def _hand_out(job: Job, helpers: int, *, only_if_free: bool) -> bool:
    """Let so many helpers work on the job; False where all must be free and one is not."""
    global _helpers
    with _lock:
        # A helper whose job is done is free, though it may not have come back yet.
        if only_if_free and any(ticket.job.active for ticket in list(_tickets)):
            return False
        while _helpers < helpers:
            name = f"npbert-{_helpers + 1}"
            threading.Thread(target=_serve, args=(_queue,), name=name, daemon=True).start()
            _helpers += 1
        for _ in range(helpers):
            ticket = _Ticket(job)
            try:
                _tickets.add(ticket)
                _queue.put(ticket)
                _bell[0] += 1
            except BaseException:  # Ctrl-C: nobody may ever take it
                _tickets.discard(ticket)
                raise
    return True


def _serve(queue: SimpleQueue[_Ticket]) -> None:
    while True:
        _work_on(queue.get())
        heard = int(_bell[0])
        if linger_kernel.ready and queue.empty():
            linger_kernel(_bell, heard)


def _work_on(ticket: _Ticket) -> None:
    """A function of its own, so that an idle helper keeps nothing of its last job alive."""
    try:
        ticket.job.work()
    finally:
        _tickets.discard(ticket)


def _forget() -> None:
    """In a forked child: the threads are gone, and the lock may be held by one of them."""
    global _queue, _helpers, _lock
    _queue, _helpers, _lock = SimpleQueue(), 0, threading.RLock()
    _tickets.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
