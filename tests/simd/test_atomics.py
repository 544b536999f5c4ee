"""Counters in memory that several threads change at once."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from npbert import simd
from npbert.simd.kernel import kernel

pytestmark = pytest.mark.kernel


@kernel("void(int64[::1], int64, int64, int64, int64[::1])")
def add_often(counters, index, value, times, before):
    """``before`` receives what was there each time; nothing where it is empty."""
    for i in range(times):
        was = simd.atomic_add(counters, index, value)
        if before.shape[0]:
            before[i] = was


@kernel("void(int64[::1], int64, int64[::1])")
def load_once(counters, index, out):
    out[0] = simd.atomic_load(counters, index)


@kernel("void(int64[::1], int64[::1], int64)")
def wait_until(counters, out, value):
    """With nothing else in the loop, a plain load would be taken out of it, and it never end."""
    while simd.atomic_load(counters, 0) != value:
        pass
    out[0] = counters[8]


NOTHING = np.empty(0, np.int64)


def load(counters, index):
    out = np.zeros(1, np.int64)
    load_once(counters, index, out)
    return int(out[0])


def side_by_side(*tasks):
    """Run the tasks on a thread each, from one moment on."""
    meet = threading.Barrier(len(tasks))

    def run(task):
        meet.wait(10)
        task()

    callers = [threading.Thread(target=run, args=(task,), daemon=True) for task in tasks]
    for each in callers:
        each.start()
    for each in callers:
        each.join(30)
    assert not any(each.is_alive() for each in callers)


@pytest.mark.parametrize("value", [1, -3, 2**40, -(2**63)])
def test_add_returns_what_was_there_and_changes_its_own_counter_only(value):
    counters = np.arange(5, dtype=np.int64)
    before = np.zeros(1, np.int64)
    add_often(counters, 3, value, 1, before)
    assert before.tolist() == [3]
    assert counters.tolist() == [0, 1, 2, 3 + value, 4]
    assert [load(counters, i) for i in range(5)] == counters.tolist()


def test_a_counter_wraps_around():
    counters = np.full(1, 2**63 - 1, np.int64)
    add_often(counters, 0, 1, 1, NOTHING)
    assert load(counters, 0) == -(2**63)


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_nothing_is_lost_between_threads(threads):
    counters, times = np.zeros(9, np.int64), 200_000
    add_often(counters, 0, 1, 0, NOTHING)  # ready before the threads start
    side_by_side(*[lambda: add_often(counters, 8, 3, times, NOTHING)] * threads)
    assert counters.tolist() == [0] * 8 + [3 * threads * times]


def test_every_number_is_given_out_once():
    """That one thread alone sees the last number is what a barrier rests on."""
    counters, seen = np.zeros(1, np.int64), np.zeros((3, 50_000), np.int64)
    side_by_side(*[lambda row=row: add_often(counters, 0, 1, row.size, row) for row in seen])
    assert np.array_equal(np.sort(seen, axis=None), np.arange(seen.size))
    assert (np.diff(seen, axis=1) > 0).all()


def test_giving_way_comes_back():
    @kernel("void(int64[::1])")
    def give_way(counters):
        for i in range(counters.shape[0]):
            simd.let_others_run()
            counters[i] = i

    counters = np.zeros(1000, np.int64)
    give_way(counters)
    assert np.array_equal(counters, np.arange(1000))


def test_a_load_sees_what_was_written_before_the_counter_was_raised():
    for round_ in range(1, 50):
        counters, out = np.zeros(9, np.int64), np.zeros(1, np.int64)

        def write(counters=counters, round_=round_):
            counters[8] = round_
            add_often(counters, 0, round_, 1, NOTHING)

        def read(counters=counters, out=out, round_=round_):
            wait_until(counters, out, round_)

        side_by_side(read, write)
        assert out.tolist() == [round_]
