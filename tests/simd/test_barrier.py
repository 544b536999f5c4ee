"""Threads inside kernels that wait for each other."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from npbert import simd
from npbert.simd import barrier
from npbert.simd.barrier import wait_for_all
from npbert.simd.kernel import kernel

pytestmark = pytest.mark.kernel

ROUNDS = 500


@kernel("void(int64[::1], int64, int64, int64, int64[:, ::1], int64[::1])")
def walk(state, part, parts, rounds, marks, wrong):
    """Round after round: leave a mark, wait, and count the threads whose mark is not there.

    A thread that is let through too early finds a mark missing; one that is a whole round ahead
    would be found by the second barrier, behind which marks are those of the round before.
    """
    for i in range(rounds):
        marks[part, 0] = i + 1
        wait_for_all(state, parts)
        for other in range(parts):
            if simd.atomic_load(marks[other], 0) != i + 1:
                wrong[part] += 1
        wait_for_all(state, parts)


@kernel("void(int64[::1], int64, int64[::1])")
def wait_once(state, threads, passed):
    wait_for_all(state, threads)
    simd.atomic_add(passed, 0, 1)


def start(*tasks):
    callers = [threading.Thread(target=task, daemon=True) for task in tasks]
    for each in callers:
        each.start()
    return callers


def ended(callers, seconds=20):
    """Whether all ended in time."""
    deadline = time.monotonic() + seconds
    for each in callers:
        each.join(max(0, deadline - time.monotonic()))
    return not any(each.is_alive() for each in callers)


@pytest.fixture
def release():
    """A new barrier that is stopped at the end, so that a failed test leaves no thread spinning."""
    state = barrier.new_state()
    wait_once.prepare()
    walk.prepare()
    yield state
    barrier.stop(state)


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_nobody_passes_before_all_came(release, threads):
    marks, wrong = np.zeros((threads, 8), np.int64), np.zeros(threads, np.int64)
    callers = start(
        *(
            lambda part=part: walk(release, part, threads, ROUNDS, marks, wrong)
            for part in range(threads)
        )
    )
    assert ended(callers)
    assert wrong.tolist() == [0] * threads
    assert marks[:, 0].tolist() == [ROUNDS] * threads
    count, rounds, stop = release[::8].tolist()
    assert (count, rounds, stop) == (0, 2 * ROUNDS, 0)


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_the_last_one_opens(release, threads):
    """All but one wait, however long it takes; then it comes."""
    passed = np.zeros(1, np.int64)
    callers = start(*[lambda: wait_once(release, threads, passed)] * (threads - 1))
    time.sleep(0.1)
    assert all(each.is_alive() for each in callers)
    assert passed[0] == 0
    callers += start(lambda: wait_once(release, threads, passed))
    assert ended(callers)
    assert passed[0] == threads


def test_the_test_above_would_see_a_barrier_that_is_one_short(release):
    marks, wrong = np.zeros((3, 8), np.int64), np.zeros(3, np.int64)
    callers = start(*(lambda p=p: walk(release, p, 2, 1, marks, wrong) for p in (0, 2)))
    assert ended(callers)  # two of three passed: the mark of number 1 is missing
    assert wrong.any()


@pytest.mark.parametrize("waiting", [1, 2, 3])
def test_stop_lets_all_pass_now_and_later(release, waiting):
    passed = np.zeros(1, np.int64)
    callers = start(*[lambda: wait_once(release, 5, passed)] * waiting)
    time.sleep(0.05)
    assert passed[0] == 0
    assert not barrier.stopped(release)
    barrier.stop(release)
    assert barrier.stopped(release)
    assert ended(callers, 2)
    assert passed[0] == waiting
    began = time.monotonic()
    for _ in range(20):
        wait_once(release, 5, passed)
    assert time.monotonic() - began < 1
    assert passed[0] == waiting + 20


def test_one_thread_never_waits_and_leaves_no_trace(release):
    marks, wrong = np.zeros((1, 8), np.int64), np.zeros(1, np.int64)
    walk(release, 0, 1, ROUNDS, marks, wrong)
    assert not wrong.any()
    assert not release.any()


def test_two_barriers_know_nothing_of_each_other(release):
    passed, other = np.zeros(1, np.int64), barrier.new_state()
    callers = start(
        lambda: wait_once(release, 2, passed),
        lambda: wait_once(other, 2, passed),
    )
    time.sleep(0.05)
    assert passed[0] == 0
    barrier.stop(other)
    assert ended(callers[1:], 2)
    assert callers[0].is_alive()
    assert passed[0] == 1


def test_counters_lie_on_cache_lines_of_their_own():
    state = barrier.new_state()
    assert (state.dtype, state.size, state.any()) == (np.int64, 3 * 8, False)
