"""The register tile alone, and what it touches of memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simd import exact
from simd.exact import assert_same_bits
from simd.guarded_run import MISTAKES

from npbert import simd
from npbert.simd import buffers
from npbert.simd.gemm import multiply
from npbert.simd.isa import ISAS
from npbert.simd.kernel import kernel

pytestmark = pytest.mark.kernel

TESTS = Path(__file__).parents[1]


@kernel("void(float32[:, ::1], float32[::1], float32[:, ::1], int64, int64, int64)")
def one_tile(a, b, c, width, rows, pace):
    """One tile of the given width, at the start of ``c``; it fetches from nowhere."""
    a_address, b_address, c_address = a.ctypes.data, b.ctypes.data, c.ctypes.data
    depth, stride = a.shape[1], c.shape[1]
    multiply(width, a_address, depth, depth, b_address, c_address, stride, rows, 0, pace)


def operands(rows, depth, columns):
    random = np.random.default_rng((rows, depth, columns))
    b = buffers.empty(depth, columns)
    b[:] = random.standard_normal(b.shape)
    return random.standard_normal((rows, depth)).astype(np.float32), b


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("depth", [*range(1, 10), 15, 16, 17, 63, 64, 65, 80, 81, 128, 200])
@pytest.mark.parametrize("pace", simd.PACES)
def test_every_height(width, depth, pace):
    """Chains of fused multiply-adds; a wider ``c`` and its further rows stay as they were."""
    for rows in range(1, simd.TILE_ROWS + 1):
        a, b = operands(rows, depth, 16 * width)
        c = np.full((simd.TILE_ROWS + 1, 16 * width + 3), np.nan, np.float32)
        one_tile(a, b.reshape(-1), c, width, rows, pace)
        expected = np.full_like(c, np.nan)
        expected[:rows, : 16 * width] = exact.gemm(a, b)
        assert_same_bits(c, expected)


# -- guard pages -----------------------------------------------------------------------------------

on_unix = pytest.mark.skipif(os.name != "posix", reason="mprotect is POSIX")


def guarded_run(mode, **environment):
    """`simd.guarded_run` in a process of its own."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    return subprocess.run(
        [sys.executable, "-W", "error", TESTS / "simd" / "guarded_run.py", mode],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
    )


@on_unix
def test_no_kernel_leaves_its_arrays_and_no_tile_shape_changes_a_bit():
    """Every kernel with guard pages on either side, for the tile of every instruction set."""
    hashes = {}
    for name in ISAS:
        result = guarded_run("cases", NPBERT_ISA=name)
        last = result.stdout.splitlines()[-1:]
        assert result.returncode == 0, f"{name}: died in {last}\n{result.stderr}"
        hashes[name] = last[0]
    assert len(set(hashes.values())) == 1, hashes


@on_unix
@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_guard_pages_notice_a_mistake(mistake):
    """Or the bounds check does, which sees all but the tile."""
    result = guarded_run(mistake)
    assert result.stdout == f"{mistake}\n", result.stdout + result.stderr
    killed = result.returncode in (-signal.SIGSEGV, -signal.SIGBUS)
    caught = os.environ.get("NUMBA_BOUNDSCHECK") and "IndexError" in result.stderr
    assert killed or (caught and mistake not in ("a", "panels", "out"))
