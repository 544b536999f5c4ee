"""Errors against float64."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.bench import accuracy
from npbert.bench.engines import ENGINES


def test_errors_of_each_input():
    exact = {0: np.zeros((2, 3)), 1: np.ones((1, 4))}
    found = {0: np.full((2, 3), 0.5, np.float32), 1: np.array([[1, 1, 1, 3]], np.float32)}
    np.testing.assert_allclose(accuracy.errors(found, exact), [[0.5, 0.5], [1, 2]])


def test_ratios_are_npberts_over_a_peers():
    exact = {0: np.zeros((2, 3)), 1: np.zeros((1, 3))}
    ours = {i: array + np.float32(0.1) for i, array in exact.items()}
    theirs = {i: array + np.float32(0.2 + i * 0.2) for i, array in exact.items()}
    outputs = {"npbert": ours, "openvino": theirs, "truth": exact}
    found = accuracy._compare(ENGINES["openvino"], "tiny", outputs, "truth")
    assert found["rms_ratio"] == pytest.approx(8**-0.5)  # of 1/2 and 1/4
    assert found["largest_ratio"] == pytest.approx(0.25)
    assert accuracy._cells(found)[4] == "0.35"
    assert accuracy._cells({**found, "rms_ratio": 1.2})[4] == "1.20 loss"
    ours_cells = accuracy._cells(accuracy._compare(ENGINES["npbert"], "tiny", outputs, "truth"))
    assert (ours_cells[4], ours_cells[6]) == ("1", "1")


@pytest.mark.kernel
def test_a_run_against_a_stand_in_for_the_truth(session, monkeypatch):
    """Without torch there is no truth: npbert's own numbers, moved a little, stand in for it."""
    npbert = accuracy._outputs

    def outputs(session, entry, name, batches):
        if entry.race:
            return npbert(session, entry, name, batches)
        found = npbert(session, ENGINES["npbert"], name, batches)
        return {i: array.astype(np.float64) + 1e-6 for i, array in found.items()}

    monkeypatch.setattr(accuracy, "_outputs", outputs)
    name, (section,), data = accuracy.run(session)
    assert name == "accuracy"
    assert [line[0] for line in section.rows] == ["npbert", "npbert-tanh"]
    assert data[0]["inputs"] == len(accuracy.LENGTHS) * accuracy.EACH == 56
    assert data[0]["rms"] == pytest.approx(1e-6, rel=0.2)


@pytest.mark.kernel
def test_without_the_truth_a_note_says_so(session, monkeypatch):
    monkeypatch.setattr(accuracy, "why_not", lambda e: None if e.race else "not installed")
    _, (section,), data = accuracy.run(session)
    assert (section.rows, data) == ([], [])
    assert "torch-float64 on tiny FAILED: not installed" in section.notes
