"""Callers in line: who begins when, with how many threads, and that nobody waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import goldens
import pytest

from npbert.engine import run, turns
from npbert.engine.turns import Line


class Caller:
    """A caller on a thread of its own, which works until it is told to stop."""

    def __init__(self, line, wanted):
        self.threads, self.began, self._stop = None, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=line.take, args=(wanted, self._work), daemon=True)
        self._thread.start()

    def _work(self, threads):
        self.threads = threads
        self.began.set()
        assert self._stop.wait(60)

    def begins(self, within=10.0):
        """How many threads it got, or None while it waits."""
        self.began.wait(within)
        return self.threads

    def leave(self):
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def patient(monkeypatch):
    """Nobody's patience ends within a test."""
    monkeypatch.setattr(turns, "PATIENCE", 60.0)


def waits(caller):
    return caller.begins(0.05) is None


@pytest.mark.parametrize(("places", "wanted"), [(1, 1), (2, 1), (2, 2), (8, 3), (2, 5)])
def test_alone_a_caller_gets_all_it_wants(places, wanted):
    """More than there are places, too: the user may know of CPUs that nobody else sees."""
    line = Line(places)
    for _ in range(3):
        assert line.take(wanted, lambda threads: (threads, "result")) == (wanted, "result")


def test_others_get_what_is_left(patient):
    line = Line(8)
    callers = [Caller(line, wanted) for wanted in (3,)]
    assert callers[0].begins() == 3
    for wanted, given in ((4, 4), (4, 1)):
        callers.append(Caller(line, wanted))
        assert callers[-1].begins() == given
    late = Caller(line, 2)
    assert waits(late)
    for each in callers:
        each.leave()
    assert late.begins()
    late.leave()


def test_who_had_to_wait_gets_an_equal_share(patient):
    """Two callers on two CPUs take turns with both CPUs only until they notice each other."""
    line = Line(2)
    first = Caller(line, 2)
    assert first.begins() == 2
    second = Caller(line, 2)
    assert waits(second)
    first.leave()
    assert second.begins() == 1
    again = Caller(line, 2)
    assert again.begins() == 1
    second.leave()
    again.leave()
    assert line.take(2, lambda threads: threads) == 2  # and alone again, both


def test_first_come_first_served(patient):
    line, order = Line(1), []
    first = Caller(line, 1)
    assert first.begins() == 1
    others = []
    for i in range(20):
        others.append(threading.Thread(target=line.take, args=(1, lambda _, i=i: order.append(i))))
        others[-1].start()
        while len(line._turns) < i + 2:
            time.sleep(0.001)
    first.leave()
    for each in others:
        each.join(10)
    assert order == list(range(20))


def test_no_more_threads_than_places(patient):
    line, lock = Line(3), threading.Lock()
    at_work, most, done = 0, 0, 0

    def work(threads):
        nonlocal at_work, most, done
        with lock:
            at_work += threads
            most = max(most, at_work)
        time.sleep(0.0005)
        with lock:
            at_work -= threads
            done += 1

    def call():
        for i in range(30):
            line.take(1 + i % 3, work)

    callers = [threading.Thread(target=call) for _ in range(12)]
    for each in callers:
        each.start()
    for each in callers:
        each.join(60)
    assert (at_work, done) == (0, 12 * 30)
    assert most == 3
    assert line._turns == []


def test_an_error_gives_the_turn_back(patient):
    line = Line(1)
    for error in (ValueError("broken"), KeyboardInterrupt(), SystemExit(1)):

        def fail(_, error=error):
            raise error

        with pytest.raises(type(error)) as caught:
            line.take(1, fail)
        assert caught.value is error
    assert line._turns == []
    assert line.take(1, lambda threads: threads) == 1


def test_patience_ends_where_nobody_leaves(monkeypatch):
    """A long pass, or a turn that was never given back: the others go on beside it."""
    monkeypatch.setattr(turns, "PATIENCE", 0.02)
    line = Line(2)
    stuck = Caller(line, 2)
    assert stuck.begins() == 2
    others = [Caller(line, 1) for _ in range(5)]
    assert [each.begins() for each in others] == [1] * 5
    for each in (*others, stuck):
        each.leave()
    assert line._turns == []
    assert line.take(2, lambda threads: threads) == 2


def test_a_call_in_the_midst_of_a_turn(monkeypatch):
    """As a signal's handler makes one: it waits for a while, and then goes on."""
    monkeypatch.setattr(turns, "PATIENCE", 0.02)
    line = Line(1)
    assert line.take(1, lambda outer: (outer, line.take(1, lambda inner: inner))) == (1, 1)
    assert line._turns == []


@pytest.mark.kernel
def test_a_models_passes_take_turns(monkeypatch):
    seen = []
    monkeypatch.setattr(turns, "_line", Line(2))
    whole = run.run

    def watched(weights, plan, workspaces, num_threads):
        seen.append((num_threads, len(turns._line._turns)))
        return whole(weights, plan, workspaces, num_threads)

    monkeypatch.setattr(run, "run", watched)
    model, batch = goldens.backbone("deep", 2), goldens.inputs("deep")
    expected = goldens.sha256(goldens.backbone("deep", 1)(batch))
    assert goldens.sha256(model(batch)) == expected
    assert seen == [(1, 1), (2, 1)]
    assert turns._line._turns == []


_FORK = """
import os, threading, warnings
warnings.simplefilter("ignore")
from npbert.engine import turns
inside, leave = threading.Event(), threading.Event()
def work(threads):
    inside.set()
    leave.wait(60)
threading.Thread(target=turns.take, args=(1000, work), daemon=True).start()
inside.wait(10)
turns.PATIENCE = 60
child = os.fork()  # while another thread has all places
if child == 0:
    os._exit(0 if turns.take(3, lambda threads: threads) == 3 else 1)
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_has_a_line_of_its_own():
    done = subprocess.run([sys.executable, "-c", _FORK], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_caller_does_not_wait_for_a_turn_that_he_never_gave_back():
    """Ctrl-C may come before it is given back."""
    line = turns.Line(2)
    line._enter(turns._Turn(2))
    began = time.monotonic()
    assert line.take(2, lambda number: number) == 2
    assert time.monotonic() - began < turns.PATIENCE / 2
    assert line._turns == []
