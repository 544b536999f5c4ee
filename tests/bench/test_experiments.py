"""Shapes and ragged batches, raced by npbert with itself."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.bench import experiments, race, works
from npbert.bench.engines import ENGINES
from npbert.bench.process import EngineError

SHAPE, RAGGED = works.parse(["tiny-2x19", "tiny-ragged"])


def ways(name, work):
    sequences = works.draw([5, 9, 3, *[4] * 7], 31, 0)
    found = experiments.jobs(ENGINES[name], work, sequences)
    return [(job.how, job.group, len(job.batches)) for job in found]


def test_npbert_takes_ragged_texts_in_one_call():
    assert ways("npbert", RAGGED) == [
        ("one call, padding skipped", experiments.PADDED, 1),
    ]


def test_peers_take_ragged_texts_padded_and_sorted():
    assert ways("onnxruntime", RAGGED) == [
        ("one call, padded", experiments.PADDED, 1),
        ("sorted by length, batches of 8", experiments.SORTED, 2),
    ]


def test_ctranslate2_skips_padding_either_way():
    assert {group for _, group, _ in ways("ctranslate2", RAGGED)} == {experiments.SORTED}


def test_who_takes_no_part():
    assert ways("keras-jax", RAGGED) == ways("sentence-transformers", SHAPE) == []
    (one,) = works.parse(["tiny-1x8"])
    assert ways("openvino-throughput", one) == []
    assert len(ways("openvino-throughput", SHAPE)) == 1


def test_groups_of_the_summary():
    assert ways("openvino", SHAPE) == [("", experiments.PEERS, 1)]
    assert ways("keras-jax", SHAPE) == [("", experiments.KERAS, 1)]


def test_words():
    assert experiments.describe([7, 7]) == "2 x 7 tokens, no padding"
    assert experiments.describe([4, 10]) == (
        "2 texts of 4 to 10 tokens, mean 7.0; 70% of the padded batch are tokens"
    )


@pytest.mark.kernel
def test_a_race_of_a_shape(session):
    found = experiments.run(session, SHAPE)
    assert [(row.engine, row.threads) for row in found.rows] == [
        *(("npbert", 1), ("npbert", 2), ("npbert-tanh", 1), ("npbert-tanh", 2))
    ]
    assert all(row.error is None and row.difference == 0 for row in found.rows)
    assert all(len(row.seconds) == 2 * found.calls for row in found.rows)
    assert set(found.peaks) == {1, 2}
    assert found.texts == 2


@pytest.mark.kernel
def test_a_ragged_race(session):
    found = experiments.run(session, RAGGED)
    (note,) = found.notes
    lengths = works.ragged_lengths(session.settings.seed)
    assert note == f"lengths, of seed {session.settings.seed}: {lengths}"
    assert {row.engine for row in found.rows} == {"npbert"}
    assert all(row.seconds for row in found.rows)


@pytest.mark.kernel
def test_who_computes_something_else_does_not_race(session, monkeypatch):
    model = session.model("tiny")
    sequences = works.draw([7], 77, 0)
    compute = experiments.compute

    def wrong(session, process, *rest):
        found = compute(session, process, *rest)
        return {i: array + np.float32(process.threads - 1) for i, array in found.items()}

    monkeypatch.setattr(experiments, "compute", wrong)
    job = experiments.Job("", "peers", works.one_batch(sequences))
    ours: dict = {}
    arguments = (session, ENGINES["npbert"], model)
    experiments._enter(*arguments, 1, SHAPE, job, ours)
    ours["npbert", 2] = ours["npbert", 1]
    monkeypatch.setattr(race.Row, "is_npbert", False)
    row = experiments._enter(*arguments, 2, SHAPE, job, ours).row
    assert row.error == "computes something else: 1 from npbert, at most 1e-04 expected"


@pytest.mark.kernel
def test_who_fails_is_in_the_table(session, monkeypatch):
    def broken(*_):
        raise EngineError("out of memory")

    monkeypatch.setattr(experiments, "compute", broken)
    found = experiments.run(session, SHAPE)
    assert {row.error for row in found.rows} == {"out of memory"}
