"""Threads of one job on CPUs of their own: `placement.spread`."""

from __future__ import annotations

import os

import pytest

from npbert.engine import placement
from npbert.engine.placement import spread

linux = pytest.mark.skipif(placement._current_cpu is None, reason="Linux only")


@pytest.fixture
def cpus(monkeypatch):
    """This thread as it seems: on CPU 3 of 0 to 3, and it goes to the least of what it may."""
    state = {"at": 3, "allowed": {0, 1, 2, 3}, "set": []}

    def allow(thread, mask):
        assert thread == 0
        state["allowed"] = set(mask)
        state["set"].append(set(mask))
        if state["at"] not in mask:
            state["at"] = min(mask)

    monkeypatch.setattr(placement, "_current_cpu", lambda: state["at"])
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda thread: set(state["allowed"]), raising=False
    )
    monkeypatch.setattr(os, "sched_setaffinity", allow, raising=False)
    return state


def test_a_thread_with_a_cpu_of_its_own_stays(cpus):
    taken = [0, 1]
    spread(taken)
    assert taken == [0, 1, 3]
    assert cpus["set"] == []


def test_a_thread_beside_another_moves_and_is_free_again(cpus):
    taken = [0, 3]
    spread(taken)
    assert taken == [0, 3, 1]
    assert cpus["set"] == [{1, 2}, {0, 1, 2, 3}]


def test_with_more_threads_than_cpus_nobody_moves(cpus):
    taken = [0, 1, 2, 3]
    spread(taken)
    assert taken == [0, 1, 2, 3, 3]
    assert cpus["set"] == []


def test_only_where_it_was_allowed_to_be(cpus):
    cpus["allowed"] = {2, 3}
    taken = [3]
    spread(taken)
    assert taken == [3, 2]
    assert cpus["set"] == [{2}, {2, 3}]


def test_a_system_that_forbids_it(cpus, monkeypatch):
    def refuse(thread, mask):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
    taken = [3]
    spread(taken)
    assert taken == [3, 3]


def test_a_system_without_such_a_call(monkeypatch):
    monkeypatch.setattr(placement, "_current_cpu", None)
    taken = [3]
    spread(taken)
    assert taken == [3]
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    assert placement._find() is None


@linux
def test_this_thread_really_moves():
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("one CPU")
    taken = []
    spread(taken)
    for _ in range(20):
        here = placement._current_cpu()
        taken = [here]
        spread(taken)
        assert taken[0] == here
        assert taken[1] in allowed
        assert os.sched_getaffinity(0) == allowed
