"""Threads, groups of sequences, the share of each thread, the tile: no choice changes a bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from npbert.simd.isa import ISAS

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

TESTS = Path(__file__).parents[1]


def test_one_hash_whatever_is_chosen():
    """The tile of every instruction set, in a process each; a new one has to compile first."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    found = {}
    for name in ISAS:
        done = subprocess.run(
            [sys.executable, TESTS / "engine" / "choices_worker.py"],
            env={**os.environ, "PYTHONPATH": path, "NPBERT_ISA": name},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        said, *hashes = done.stdout.split()
        assert said == name
        found[name] = hashes
    assert len({tuple(hashes) for hashes in found.values()}) == 1, found
    assert all(len(hashes) == 1 for hashes in found.values()), found
