"""Batches dealt out to threads, or shared by them: which of both, and the same bits either way."""

from __future__ import annotations

import dataclasses
import threading
from functools import cache

import goldens
import numpy as np
import pytest
from engine.sharing import CASE, DEALT, SHARED, Answers, call_at_once, idle, plan

from npbert.engine import run
from npbert.engine import threads as pool
from npbert.engine.plan import plan_sequences

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("cpus")]


@pytest.fixture
def answers(monkeypatch):
    said = Answers()
    monkeypatch.setattr(pool, "run_together", said)
    return said


@cache
def case_alone(case, dtype):
    weights = goldens.backbone(case, dtype=dtype)._engine.weights
    return weights, run.run(weights, plan(case), spaces(weights), 1)


def spaces(weights):
    return run.Workspaces(weights.precision.real)


@pytest.mark.parametrize("part_rows", [1, 2048])
@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize(("case", "dtype"), goldens.MODELS)
def test_dealt_and_shared_give_the_same_bits(monkeypatch, answers, case, dtype, threads, part_rows):
    weights, expected = case_alone(case, dtype)
    monkeypatch.setattr(run, "PART_ROWS", part_rows)
    for deal in (DEALT, SHARED):
        monkeypatch.setattr(run, "DEAL", deal)
        idle()
        rows = run.run(weights, plan(case), spaces(weights), threads)
        np.testing.assert_array_equal(goldens.bits(rows), goldens.bits(expected))
        assert answers[:1] == [True] * (deal == SHARED)  # nothing was busy: it was shared
    assert len(answers) == len(list(plan(case).parts(part_rows)))


def lengths(*counts):
    """Sequences of these lengths, which the case's few positions would not be enough for."""
    plan = plan_sequences([np.ones(count, np.int32) for count in counts])
    P = goldens.config(CASE).max_sequence_length
    return dataclasses.replace(plan, positions=plan.positions % P)


@pytest.mark.parametrize(
    ("counts", "threads", "longest"),
    [
        ((7,), 1, 7),
        ((7,), 3, 7),
        ((5, 5, 5), 3, 5),
        ((5, 5, 5), 2, 10),
        ((1, 1, 1, 9), 2, 10),  # the long one comes last, after two short ones on one thread
        ((9, 1, 1, 1), 2, 9),
        ((2, 3, 4, 5), 2, 8),
        ((2, 3, 4, 5, 6), 3, 9),
        ((), 2, 0),
    ],
)
def test_the_longest_turn(counts, threads, longest):
    """Whoever is free first takes the next part, in order."""
    batch = lengths(*counts)
    parts = [(i, i + 1) for i in range(len(counts))]
    assert run._longest_turn(batch, parts, threads) == longest


def test_the_longest_turn_counts_the_rows_of_whole_parts():
    assert run._longest_turn(lengths(1, 2, 4, 8), [(0, 2), (2, 3), (3, 4)], 2) == 11


@pytest.mark.parametrize(("counts", "shared"), [((20, 20), True), ((30, 30), False)])
def test_few_rows_are_shared_for_the_weights_are_read_once(packed, answers, counts, shared):
    idle()
    run.run(packed, lengths(*counts), run.Workspaces(), 2)
    assert answers == [True] * shared


@pytest.mark.parametrize(
    ("counts", "threads", "shared"),
    [
        ((40,), 1, False),  # one thread has nobody to share with
        ((40,), 2, True),
        ((10, 10), 2, False),
        ((10, 10), 3, True),  # one of three would have nothing to do
        ((10, 11), 2, False),
        ((10, 30), 2, True),
        ((9, 10, 11, 9, 10, 11), 3, False),
        ((4,) * 16, 4, False),
        ((4,) * 13, 4, True),  # 13 rows are a fair share, and one thread would get 16
    ],
)
def test_a_batch_is_dealt_where_that_keeps_the_threads_busy(
    monkeypatch, packed, answers, counts, threads, shared
):
    monkeypatch.setattr(run, "FEW_ROWS", 0)
    idle()
    run.run(packed, lengths(*counts), run.Workspaces(), threads)
    assert answers == [True] * shared


@pytest.mark.parametrize(("cpus", "together"), [(1, 1), (2, 2), (3, 3), (4, 3), (64, 3)])
def test_no_more_threads_wait_for_each_other_than_can_run_at_once(
    packed, expected, monkeypatch, answers, cpus, together
):
    monkeypatch.setattr(run, "_cpus", lambda: cpus)
    monkeypatch.setattr(run, "DEAL", SHARED)
    idle()
    rows = run.run(packed, plan(), run.Workspaces(), 3)
    np.testing.assert_array_equal(goldens.bits(rows), goldens.bits(expected))
    assert answers.tasks == [together]


@pytest.mark.parametrize("busy", ["helpers", "another caller"])
def test_with_busy_helpers_the_caller_goes_on_alone_to_the_same_bits(
    packed, expected, answers, monkeypatch, busy
):
    let_go, taken = threading.Event(), threading.Semaphore(0)

    def hold():
        taken.release()
        assert let_go.wait(20)

    def hold_some():
        if busy == "helpers":
            pool.run([hold] * 2, 2)
        else:
            pool.run_together([hold] * 2, let_go.set)

    monkeypatch.setattr(run, "DEAL", SHARED)
    idle()
    other = threading.Thread(target=hold_some)
    other.start()
    try:
        for _ in range(2):
            assert taken.acquire(timeout=10)
        answers.clear()
        rows = run.run(packed, plan(), run.Workspaces(), 2)
        assert answers == [False]
    finally:
        let_go.set()
        other.join(20)
    np.testing.assert_array_equal(goldens.bits(rows), goldens.bits(expected))
    idle()
    run.run(packed, plan(), run.Workspaces(), 2)
    assert answers[-1] is True


def test_many_callers_at_once_get_the_same_bits(packed, expected, answers, monkeypatch):
    """More of them than helpers: some share, most go on alone, and nobody can tell.

    A model's callers take turns (`npbert.engine.turns`); here nobody waits for anybody.
    """
    monkeypatch.setattr(run, "DEAL", SHARED)
    workspaces = run.Workspaces()

    def call(_):
        for _ in range(6):
            rows = run.run(packed, plan(), workspaces, 3)
            np.testing.assert_array_equal(goldens.bits(rows), goldens.bits(expected))

    call_at_once(20, call)
    assert len(answers) == 20 * 6
    assert set(answers) == {True, False}
