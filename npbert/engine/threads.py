"""npbert's own threads: how many, and how work is shared out.

Threads start when the first call needs them, are daemons, block when there is nothing to do, and
are made again in a forked child. A caller works on its own job too, so any number of threads may
call at once: with every helper busy elsewhere, a job simply runs on its caller.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from queue import SimpleQueue

from npbert.errors import ConfigError

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
    """Tasks that any thread may take, one after the other."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []
        self._running = 0
        self._error: BaseException | None = None
        self._change = threading.Condition()

    @property
    def stopped(self) -> bool:
        """True once a task failed or the caller was interrupted; long tasks ask between steps."""
        return self._error is not None

    def add(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Put tasks in line; the first is taken first."""
        self._waiting = [*reversed(tasks)]

    def work(self) -> None:
        """Take and run tasks until none waits."""
        while True:
            with self._change:
                if not self._waiting:
                    return
                task = self._waiting.pop()
                self._running += 1
            try:
                task()
            except BaseException as error:  # handed to the caller, whichever thread this is
                self.stop(error)
            finally:
                with self._change:
                    self._running -= 1
                    self._change.notify_all()

    def stop(self, error: BaseException) -> None:
        """Drop what waits; the first error is the one that counts."""
        with self._change:
            self._waiting.clear()
            self._error = self._error or error

    def finish(self) -> None:
        """Wait for the tasks that other threads took, then raise what went wrong.

        The wait wakes ten times a second, so that Ctrl-C is seen on every platform.
        """
        while True:
            try:
                with self._change:
                    while self._running:
                        self._change.wait(0.1)
                break
            except BaseException as error:  # KeyboardInterrupt: stop the others, then wait for them
                self.stop(error)
        if self._error is not None:
            raise self._error


_queue: SimpleQueue[Job] = SimpleQueue()
_helpers = 0
_starting = threading.Lock()


def run(make_tasks: Callable[[Job], Sequence[Callable[[], None]]], threads: int) -> None:
    """Run the tasks on at most ``threads`` threads, the caller's among them, to the end.

    ``make_tasks`` receives the job, so that its tasks can ask whether it was stopped.
    """
    job = Job()
    tasks = make_tasks(job)
    job.add(tasks)
    helpers = min(threads, len(tasks)) - 1
    if helpers > 0:
        _start(helpers)
        for _ in range(helpers):
            _queue.put(job)
    job.work()
    job.finish()


def _start(count: int) -> None:
    global _helpers
    with _starting:
        while _helpers < count:
            name = f"npbert-{_helpers + 1}"
            threading.Thread(target=_serve, args=(_queue,), name=name, daemon=True).start()
            _helpers += 1


def _serve(queue: SimpleQueue[Job]) -> None:
    while True:
        queue.get().work()


def _forget() -> None:
    """In a forked child: the threads are gone, and the locks may be held by one of them."""
    global _queue, _helpers, _starting
    _queue, _helpers, _starting = SimpleQueue(), 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
