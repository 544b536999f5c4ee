"""Fifty threads that call one model: each gets its own answer, to the last bit, and in its turn."""

from __future__ import annotations

import random
import threading
import time

import goldens
import pytest

from npbert.engine import turns

pytestmark = pytest.mark.kernel

CALLERS, CALLS = 50, 200
CASE = "odd_width"


def part(rows):
    return {name: array[rows] for name, array in goldens.inputs(CASE).items()}


@pytest.mark.parametrize("num_threads", [2, 3])
def test_fifty_threads_two_hundred_calls_one_hash(num_threads):
    """Batches of every size, computed at the same time."""
    B = len(goldens.inputs(CASE)["token_ids"])
    batches = [part(slice(start, stop)) for stop in range(1, B + 1) for start in range(stop)]
    alone = goldens.backbone(CASE, 1)
    expected = [goldens.sha256(alone(batch)) for batch in batches]
    model, meet = goldens.backbone(CASE, num_threads), threading.Barrier(CALLERS)
    wrong, done = [], [0] * CALLERS

    def call(number):
        draw = random.Random(number)
        try:
            meet.wait(30)
            for _ in range(CALLS):
                i = draw.randrange(len(batches))
                assert goldens.sha256(model(batches[i])) == expected[i]
                done[number] += 1
        except BaseException as error:
            wrong.append(error)

    callers = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for each in callers:
        each.start()
    for each in callers:
        each.join(120)
    assert wrong == []
    assert done == [CALLS] * CALLERS


def test_nobody_starves(monkeypatch):
    """Passes are served in order: when one caller has had many, every other has had some."""
    monkeypatch.setattr(turns, "_line", turns.Line(2))
    model, batch = goldens.backbone("long", 2), goldens.inputs("long")
    model(batch)
    done, stop = [0] * 20, threading.Event()

    def call(number):
        while not stop.is_set():
            model(batch)
            done[number] += 1

    callers = [threading.Thread(target=call, args=(number,)) for number in range(len(done))]
    for each in callers:
        each.start()
    deadline = time.monotonic() + 60
    while max(done) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    least, most = min(done), max(done)
    stop.set()
    for each in callers:
        each.join(60)
    assert most >= 40
    assert least >= most / 4
