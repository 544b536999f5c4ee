"""Rounds, turns, and what becomes of those who fail."""

from __future__ import annotations

import pytest
from bench.results import race, row

from npbert.bench import race as racing
from npbert.bench.process import EngineError
from npbert.bench.race import Contestant


class Pretender:
    """A process that takes as long as it is told, and keeps a diary."""

    def __init__(self, name, seconds, diary, fails_at=None):
        self.name, self.seconds, self.diary, self.fails_at = name, seconds, diary, fails_at
        self.turns = 0

    def ask(self, do, **arguments):
        self.diary.append((self.name, do, arguments))
        self.turns += 1
        if self.turns == self.fails_at:
            raise EngineError("it fell over")
        if do == "peak":
            return {"flops": 10e9 * arguments["threads"]}
        return {"seconds": [self.seconds] * arguments["calls"]}

    def send(self, do, **arguments):
        self.diary.append((self.name, do, arguments))

    def answer(self):
        return {}

    def settle(self, pause):
        self.diary.append((self.name, "settle", pause))


@pytest.fixture
def diary():
    return []


def contestants(diary, **fails):
    made = []
    for name, seconds in (("npbert", 0.1), ("fast", 0.05), ("slow", 0.4)):
        process = Pretender(name, seconds, diary, fails.get(name))
        made.append(Contestant(row(name), [process], "job"))
    return made


def run(made, diary, rounds=4, yardstick=None):
    found, turns = race(*(c.row for c in made)), []
    found.peaks.clear()
    racing.run(found, made, rounds, 0.02, yardstick, turns.append)
    assert sum(turns) == rounds * len(made)
    return found


def test_every_round_everyone_has_a_turn(diary):
    made = contestants(diary)
    found = run(made, diary)
    assert found.calls == 3  # of 0.1 s in a turn of 0.3
    assert [len(c.row.seconds) for c in made] == [12, 12, 12]
    assert (made[1].row.best, made[1].row.median) == (0.05, 0.05)
    timed = [name for name, do, _ in diary if do == "time"][1:]
    assert [timed[i : i + 3] for i in range(0, 12, 3)] == [
        ["npbert", "fast", "slow"],
        ["npbert", "slow", "fast"],
        ["slow", "npbert", "fast"],
        ["slow", "fast", "npbert"],
    ]


def test_an_uncounted_call_before_and_a_pause_after(diary):
    run(contestants(diary), diary)
    turns = diary[2:]  # the first is for counting calls
    assert all(arguments["warm"] == "job" for _, do, arguments in turns if do == "time")
    assert {pause for _, do, pause in turns if do == "settle"} == {0.02}


def test_who_fails_is_out_and_the_row_says_why(diary):
    made = contestants(diary, slow=2)
    run(made, diary)
    assert (made[2].row.error, len(made[2].row.seconds)) == ("it fell over", 3)
    assert [len(c.row.seconds) for c in made[:2]] == [12, 12]


def test_npbert_too_may_fail(diary):
    made = contestants(diary, npbert=1)
    found = run(made, diary)
    assert (made[0].row.error, found.calls) == ("it fell over", 1)
    assert found.reference(made[1].row) is None


def test_who_has_failed_before_does_not_start(diary):
    made = contestants(diary)
    made[1].row.error = "computes something else"
    run(made, diary)
    assert made[1].row.seconds == []


def test_the_peak_is_the_best_of_all_rounds(diary):
    found = run(contestants(diary), diary, yardstick=Pretender("machine", 0, diary))
    assert found.peaks == {1: 10e9, 2: 20e9}


def test_a_machine_without_a_peak_has_a_note(diary):
    yardstick = Pretender("machine", 0, diary, fails_at=1)
    assert run(contestants(diary), diary, rounds=1, yardstick=yardstick).notes == [
        "no FMA peak: it fell over"
    ]


def test_several_callers_are_one_contestant(diary):
    pair = [Pretender(name, 0, diary) for name in ("first", "second")]
    made = Contestant(row("peer"), pair, "job", warm="a smaller one")
    assert len(made.time(2)) == 2
    made.settle(0.02)
    jobs = [(name, arguments["job"]) for name, do, arguments in diary if do == "time"]
    assert jobs == [
        (name, job) for job in ("a smaller one", "job", "job") for name in ("first", "second")
    ]
    assert diary[6:] == [("first", "settle", 0.02), ("second", "settle", 0.0)]


def test_npbert_of_the_same_function_and_threads_is_the_reference():
    ours, tanh, one = row("npbert", 1.0), row("npbert-tanh", 1.2), row("npbert", 2.0, threads=1)
    found = race(ours, tanh, one)
    assert found.reference(row("peer", 1.0)) is ours
    assert found.reference(row("peer", 1.0, threads=1)) is one
    assert found.reference(row("keras", 1.0, reference="npbert-tanh")) is tanh
    assert found.reference(row("peer", 1.0, threads=4)) is None


def test_nobody_races():
    assert racing.order([], 3) == []
