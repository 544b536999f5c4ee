"""A model in forked and in spawned processes: the same bits, also with threads in full swing."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import goldens
import pytest
from engine.process_worker import CALLS, CASE, PROCESSES

pytestmark = pytest.mark.kernel

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_every_process_has_the_same_bits(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system does not {method}")
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, TESTS / "engine" / "process_worker.py", method],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = done.stdout.split()
    expected = goldens.sha256(goldens.backbone(CASE)(goldens.inputs(CASE)))
    assert found == [expected] * (2 + 2 * PROCESSES) * CALLS


_INHERITED = """
import os, warnings
import goldens
warnings.simplefilter("ignore")
model, batch = goldens.backbone("deep", 2), goldens.inputs("deep")
expected = goldens.sha256(model(batch))
for _ in range(5):
    child = os.fork()
    if child == 0:
        os._exit(0 if goldens.sha256(model(batch)) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
print(goldens.sha256(model(batch)) == expected)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_model_that_was_made_before_the_fork():
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, "-c", _INHERITED],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
