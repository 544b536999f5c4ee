"""Fixtures of the tests of running batches: a model's weights, its answer, and CPUs to spare."""

from __future__ import annotations

import goldens
import pytest
from engine.sharing import CASE, plan

from npbert.engine import run
from npbert.engine.packed import PackedWeights


@pytest.fixture(scope="module")
def packed():
    return PackedWeights(goldens.config(CASE), goldens.weights(CASE))


@pytest.fixture(scope="module")
def expected(packed):
    return run.run(packed, plan(), run.Workspaces(), 1).copy()


@pytest.fixture(scope="module")
def cpus():
    """As many as there are threads in these tests, whatever this machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_cpus", lambda: 8)
        yield
