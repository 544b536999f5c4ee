"""What the tests of threads share: a batch, and ways to know and to decide what threads do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import goldens

from npbert.engine import threads
from npbert.engine.plan import Plan, plan_batch

CASE = "deep"
DEALT, SHARED = 0.0, 1e9
"""Values of `npbert.engine.run.DEAL` that leave no choice."""


def plan(case: str = CASE) -> Plan:
    """The case's batch without its padding."""
    batch = goldens.inputs(case)
    kept = batch["padding_mask"] != 0
    return plan_batch(
        batch["token_ids"], batch["segment_ids"], kept, skip_padding=True, fused=False
    )


def idle() -> None:
    """Wait for the helpers: they are free a moment after their job is done."""
    deadline = time.monotonic() + 10
    while threads._tickets:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def call_at_once(count: int, call: Callable[[int], object], within: float = 60.0) -> None:
    """``call(number)`` on so many threads that begin at one moment; raises what one of them did."""
    begin, errors = threading.Barrier(count, timeout=30), list[BaseException]()

    def run(number: int) -> None:
        try:
            begin.wait()
            call(number)
        except BaseException as error:
            errors.append(error)

    callers = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for each in callers:
        each.start()
    deadline = time.monotonic() + within
    for each in callers:
        each.join(max(0.0, deadline - time.monotonic()))
    if errors:
        raise errors[0]
    assert not any(each.is_alive() for each in callers), f"still calling after {within:.0f} s"


class Meeting:
    """Where ``count`` tasks wait for each other, until all came or it was abandoned."""

    def __init__(self, count: int) -> None:
        self.count, self.abandoned = count, threading.Event()
        self.names: list[str] = []
        self.alone: list[str] = []

    def wait(self) -> None:
        """One of the tasks."""
        self.names.append(threading.current_thread().name)
        deadline = time.monotonic() + 10
        while len(self.names) < self.count and not self.abandoned.is_set():
            assert time.monotonic() < deadline, "nobody came, and nobody abandoned it"
            time.sleep(0.0005)
        if len(self.names) < self.count:
            self.alone.append(threading.current_thread().name)


class Answers(list[Any]):
    """What `run_together` said, call by call, and how many tasks it was asked to run."""

    def __init__(self) -> None:
        self.tasks: list[int] = []
        self._ask = threads.run_together

    def __call__(self, tasks: Any, abandon: Any) -> bool:
        self.tasks.append(len(tasks))
        self.append(self._ask(tasks, abandon))
        return bool(self[-1])
