"""The helpers: when they count as free, and what they keep."""

from __future__ import annotations

import signal
import time
import weakref
from functools import partial

import pytest
from engine.sharing import Meeting, idle

from npbert.engine import threads


def test_a_call_right_after_another_finds_its_helpers_free():
    """A helper that is done with a job counts as free, though it may not have come back yet."""
    idle()
    for _ in range(500):
        meeting = Meeting(2)
        assert threads.run_together([meeting.wait] * 2, meeting.abandoned.set) is True


def test_idle_helpers_keep_nothing_of_their_last_job():
    class Result:
        pass

    result = Result()
    gone = weakref.ref(result)
    meeting = Meeting(3)
    idle()

    def task(result):
        meeting.wait()

    assert threads.run_together([partial(task, result)] * 3, meeting.abandoned.set)
    idle()
    del result
    deadline = time.monotonic() + 10
    while gone() is not None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert gone() is None


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
def test_a_call_from_a_signals_handler():
    """In the midst of another call, on the same thread: it runs, or says that it cannot."""
    answers = []

    def handler(*_):
        answers.append(threads.run_together([lambda: None] * 2, lambda: None))

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        deadline = time.monotonic() + 30
        while len(answers) < 100 and time.monotonic() < deadline:
            threads.run([lambda: None] * 4, 3)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(answers) >= 100
    idle()
    meeting = Meeting(3)
    assert threads.run_together([meeting.wait] * 3, meeting.abandoned.set) is True
