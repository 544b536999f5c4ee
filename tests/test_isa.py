"""One SHA-256 for every instruction set, number of threads and batch size.

Each target is forced in a process of its own. Numba needs both variables: with the name alone it
keeps the features of the host. That it worked is read off the assembly.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import npbert

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[1]

HASH = "8a02bb51bf3128841061554e49cef4315bcf434ddd4b3e6476241dead4d43439"
"""Of the outputs of `isa_worker.CASES`; of NUMERICS = 1."""

HASWELL = "+avx,+avx2,+fma,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+bmi,+bmi2,+f16c,+popcnt,+lzcnt"
TARGETS = {  # name -> CPU and features to force
    "host": None,
    "AVX2 without AVX-512": ("haswell", HASWELL),
    "x86-64 without AVX or FMA": ("x86-64", ""),
    "NEON's tiles": None,
}
MADE_OF = {  # instruction set -> what the matrix product is made of, and what it is not
    "avx512": ({"zmm", "vfmadd"}, {"fmaf"}),
    "avx2": ({"ymm", "vfmadd"}, {"zmm", "fmaf"}),
    "generic": ({"fmaf"}, {"zmm", "ymm", "vfmadd"}),
}
FORCED = {"AVX2 without AVX-512": "avx2", "x86-64 without AVX or FMA": "generic"}


def report_of(target, *precisions, **settings):
    forced = dict(zip(("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"), TARGETS[target] or ()))
    env = {k: v for k, v in os.environ.items() if k not in ("NPBERT_ISA", "NPBERT_NUM_THREADS")}
    if target == "NEON's tiles":  # on whatever the host is: the order of all sums is that of NEON
        env["NPBERT_ISA"] = "neon"
    env |= forced | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    worker = [sys.executable, str(ROOT / "tests" / "isa_worker.py"), *precisions]
    done = subprocess.run(worker, env=env | settings, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def skip_unless_it_runs(target):
    if target in FORCED and platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("this machine runs no x86 code")


@pytest.mark.parametrize("target", TARGETS)
def test_one_hash_on_every_instruction_set(target):
    skip_unless_it_runs(target)
    report = report_of(target)
    if target in FORCED:
        assert report["isa"] == FORCED[target]
        assert report["target"][1:] == list(TARGETS[target])
    if report["isa"] in MADE_OF:
        made_of, free_of = MADE_OF[report["isa"]]
        assert {mark for mark in made_of if report["marks"][mark]} == made_of, report["marks"]
        assert not {mark for mark in free_of if report["marks"][mark]}, report["marks"]
    assert set(report["hashes"].values()) == {HASH}, (
        f"NUMERICS {npbert.NUMERICS} no longer gives the bits it gave: {report['hashes']}"
    )


OTHERS = {  # target -> precisions; float16 is widened by hand where there is no instruction for it
    "AVX2 without AVX-512": ("bfloat16",),
    "x86-64 without AVX or FMA": ("float16", "float64"),
}


@pytest.mark.slow
def test_other_precisions_have_their_hashes_on_other_instruction_sets():
    """Compiled without optimization, which takes half the time and changes no bit."""
    for target in OTHERS:
        skip_unless_it_runs(target)
    cases = [(target, name) for target, names in OTHERS.items() for name in names]
    with ThreadPoolExecutor() as pool:
        found = [pool.submit(report_of, *case, NUMBA_OPT="0") for case in cases]
    assert [each.result() for each in found] == [
        {"isa": FORCED[target], "passed": name} for target, name in cases
    ]
