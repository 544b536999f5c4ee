"""The register tile alone, and what it touches of memory."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from precisions import ALL, parametrized
from simd import exact
from simd.exact import assert_same_bits
from simd.guarded_run import MISTAKES
from simd.packing import pack_one

from npbert import simd
from npbert.simd import isa
from npbert.simd.isa import ISAS
from npbert.simd.kernel import kernel
from npbert.simd.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64

pytestmark = pytest.mark.kernel

TESTS = Path(__file__).parents[1]


@kernel("void(real[:, ::1], stored[::1], real[:, ::1], int64, int64, int64)")
def one_tile(a, b, c, width, rows, pace):
    """One tile of the given width, at the start of ``c``; it fetches from nowhere."""
    a_address, b_address, c_address = a.ctypes.data, b.ctypes.data, c.ctypes.data
    depth, stride = a.shape[1], c.shape[1]
    simd.multiply(width, a_address, depth, depth, b_address, c_address, stride, rows, 0, pace)


DEPTHS = [*range(1, 10), 15, 16, 17, 63, 64, 65, 80, 81, 128, 200]
TILES = [(FLOAT32, 1), (FLOAT32, 2), (FLOAT32, 3), (FLOAT64, 1)]
TILES += [(precision, width) for precision in (FLOAT16, BFLOAT16) for width in (1, 2, 3)]
TILE_IDS = [f"{precision.name}-{width}" for precision, width in TILES]


@pytest.mark.parametrize(("precision", "width"), TILES, ids=TILE_IDS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_every_height(precision, width, depth):
    """Chains of fused multiply-adds; a wider ``c`` and its further rows stay as they were."""
    names, random = simd.of(precision), np.random.default_rng((depth, width))
    for rows, pace in itertools.product(range(1, names.TILE_ROWS + 1), names.PACES):
        a = random.standard_normal((rows, depth)).astype(precision.real)
        b = precision.weights(random.standard_normal((depth, 16 * width)))
        c = np.full((names.TILE_ROWS + 1, 16 * width + 3), np.nan, precision.real)
        one_tile[precision](a, pack_one(b, precision), c, width, rows, pace)
        expected = np.full_like(c, np.nan)
        expected[:rows, : 16 * width] = exact.gemm(a, b)
        assert_same_bits(c, expected)


# -- guard pages -----------------------------------------------------------------------------------

on_unix = pytest.mark.skipif(os.name != "posix", reason="mprotect is POSIX")


def guarded_run(*arguments, **environment):
    """`simd.guarded_run` in a process of its own."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    return subprocess.run(
        [sys.executable, "-W", "error", TESTS / "simd" / "guarded_run.py", *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
    )


def hashes(name, cases):
    """Kernel and precision -> hash of what the kernel of this tile made of random cases."""
    result = guarded_run("cases", *cases, NPBERT_ISA=name)
    lines = result.stdout.splitlines()
    assert result.returncode == 0, f"{name}: died in {lines[-1:]}\n{result.stderr}"
    return dict(line.split(": ") for line in lines if ": " in line)


def assert_same_hashes(cases):
    """On every instruction set, by two processes at a time."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(hashes, cases, cases.values())
    everything = {}
    for where, digests in zip(cases, found, strict=True):
        for name, digest in digests.items():
            assert everything.setdefault(name, digest) == digest, f"{name} on {where}"


@on_unix
def test_no_kernel_leaves_its_arrays_and_no_tile_shape_changes_a_bit():
    """Every kernel with guard pages on either side, for the tile of every instruction set."""
    assert_same_hashes({name: ["float32"] for name in ISAS})


@on_unix
@pytest.mark.slow
def test_nor_does_any_in_another_precision():
    """For tiles that are not this machine's, the kernels that have tiles of their own."""
    tiled = [f"gemm_kernel-{each.name}" for each in (FLOAT64, FLOAT16, BFLOAT16)]
    cases = {name: [*tiled, "attention_kernel-float64"] for name in ISAS}
    cases[isa.of_target(isa.target())] = [each.name for each in ALL if each != FLOAT32]
    assert_same_hashes(cases)


@on_unix
@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_guard_pages_notice_a_mistake(mistake):
    """Or the bounds check does, which sees all but the tile."""
    result = guarded_run(mistake)
    assert result.stdout == f"{mistake}\n", result.stdout + result.stderr
    killed = result.returncode in (-signal.SIGSEGV, -signal.SIGBUS)
    caught = os.environ.get("NUMBA_BOUNDSCHECK") and "IndexError" in result.stderr
    assert killed or (caught and mistake not in ("a", "panels", "out"))


@on_unix
@parametrized(FLOAT64, FLOAT16, BFLOAT16)
def test_the_guard_pages_notice_panels_that_are_too_short(precision):
    result = guarded_run("panels", precision.name)
    assert result.stdout == "panels\n", result.stdout + result.stderr
    assert result.returncode in (-signal.SIGSEGV, -signal.SIGBUS)
