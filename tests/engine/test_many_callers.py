"""Fifty threads that call one model: each gets its own answer, to the last bit, and in its turn."""

from __future__ import annotations

import random
import time

import goldens
import pytest
from engine.sharing import call_at_once

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
    model = goldens.backbone(CASE, num_threads)

    def call(number):
        draw = random.Random(number)
        for _ in range(CALLS):
            i = draw.randrange(len(batches))
            assert goldens.sha256(model(batches[i])) == expected[i]

    call_at_once(CALLERS, call, within=120)


def test_nobody_starves(monkeypatch):
    """Passes are served in order: when one caller has had many, every other has had some."""
    monkeypatch.setattr(turns, "_line", turns.Line(2))
    model, batch = goldens.backbone("long", 2), goldens.inputs("long")
    model(batch)
    done, deadline = [0] * 20, time.monotonic() + 60

    def call(number):
        while max(done) < 40 and time.monotonic() < deadline:
            model(batch)
            done[number] += 1

    call_at_once(len(done), call, within=120)
    assert max(done) >= 40
    assert min(done) >= max(done) / 4
