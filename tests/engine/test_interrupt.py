"""Ctrl-C in the middle of passes that several threads share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.name == "nt", reason="no SIGINT for one process alone"),
]

TESTS = Path(__file__).parents[1]
TIMES = 25

_SCRIPT = f"""
import sys, time
import goldens
from npbert.engine import run
run.DEAL, run._cpus = float(sys.argv[1]), lambda: 3
model = goldens.backbone("long", 3)
batch = goldens.inputs("long")
expected = goldens.sha256(model(batch))
for _ in range({TIMES}):
    try:
        print("ready", flush=True)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            model(batch)
        print("not interrupted", flush=True)
    except KeyboardInterrupt:
        print(goldens.sha256(model(batch)) == expected, flush=True)
"""


@pytest.mark.parametrize("deal", [0.0, 1e9], ids=["dealt", "shared"])
def test_ctrl_c_ends_a_pass_at_once_and_the_next_one_is_right(deal):
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(deal)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            slowest = 0.0
            for i in range(TIMES):
                assert process.stdout.readline() == "ready\n"
                time.sleep(0.02 + 0.0007 * i)  # somewhere else each time
                began = time.monotonic()
                process.send_signal(signal.SIGINT)
                assert process.stdout.readline() == "True\n"
                slowest = max(slowest, time.monotonic() - began)
            assert process.wait(10) == 0
            assert slowest < 1
        finally:
            process.kill()
