"""The engine's side of the pipe, in this process."""

from __future__ import annotations

import io
import json
import threading

import numpy as np
import pytest

from npbert.bench import works
from npbert.bench.engines.base import Engine
from npbert.bench.worker import Worker, serve


class Doubler(Engine):
    """An engine whose hidden states are twice the ids."""

    def load(self, setup):
        self.setup, self.runs = setup, 0

    def settings(self):
        return {"threads": str(self.setup.threads)}

    def feed(self, batch):
        return batch.ids

    def call(self, feed):
        self.runs += 1
        if feed.max() == 0:
            raise ValueError("nothing to double")
        return 2.0 * feed[:, :, None].astype(np.float32)


@pytest.fixture
def worker():
    made = Worker("machine")
    made._engine = Doubler()
    return made


def ask(worker, *commands):
    answers = io.StringIO()
    serve(worker, io.StringIO("".join(json.dumps(c) + "\n" for c in commands)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


@pytest.fixture
def ready(worker, tmp_path):
    load = {"do": "load", "model": "m", "threads": 3, "activation": None, "scratch": str(tmp_path)}
    path = works.save(tmp_path / "b.npz", works.one_batch([np.array([1, 2]), np.array([5])]))
    assert ask(worker, load, {"do": "batches", "job": "j", "path": str(path)}) == [
        {"settings": {"threads": "3"}},
        {},
    ]
    return worker


def test_outputs_are_left_in_a_file(ready, tmp_path):
    (answer,) = ask(ready, {"do": "check", "job": "j", "path": str(tmp_path / "o.npz")})
    assert answer["seconds"] > 0
    with np.load(tmp_path / "o.npz") as file:
        np.testing.assert_array_equal(file["0"][:, :, 0], [[2, 4], [10, 0]])


def test_time_counts_no_warm_call(ready):
    (answer,) = ask(ready, {"do": "time", "job": "j", "warm": "j", "calls": 3})
    assert len(answer["seconds"]) == 3
    assert ready._engine.runs == 4


def test_a_hash_for_each_text(ready):
    (answer,) = ask(ready, {"do": "bits", "job": "j"})
    assert sorted(answer["hashes"]) == ["0", "1"]
    assert answer["hashes"]["0"] != answer["hashes"]["1"]


def test_latency_of_callers_that_call_at_once(ready):
    before = threading.active_count()
    (answer,) = ask(ready, {"do": "latency", "job": "j", "callers": 3, "calls": 4})
    assert len(answer["seconds"]) == 12
    assert threading.active_count() == before


def test_a_caller_that_fails_does_not_keep_the_others_waiting(ready):
    """Some libraries keep something for each thread, and fail in all but the first."""
    first, run = threading.Lock(), ready._jobs["j"]

    def fails_once():
        if first.acquire(blocking=False):
            raise ValueError("no device in this thread")
        return run()

    ready._jobs["j"] = fails_once
    (answer,) = ask(ready, {"do": "latency", "job": "j", "callers": 3, "calls": 4})
    assert answer == {"error": "ValueError: no device in this thread"}


def test_an_error_is_an_answer_and_not_the_end(ready, tmp_path, capsys):
    path = works.save(tmp_path / "zeros.npz", works.one_batch([np.array([0, 0])]))
    answers = ask(
        ready,
        {"do": "batches", "job": "zeros", "path": str(path)},
        {"do": "time", "job": "zeros", "warm": None, "calls": 1},
        {"do": "time", "job": "j", "warm": None, "calls": 1},
    )
    assert answers[1] == {"error": "ValueError: nothing to double"}
    assert len(answers[2]["seconds"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.kernel
def test_the_peak(worker):
    (answer,) = ask(worker, {"do": "peak", "threads": 1})
    assert answer["flops"] > 1e8
