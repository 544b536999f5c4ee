"""One source of a kernel, and what it becomes in each precision."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from precisions import ALL, every, rounded
from simd.exact import assert_same_bits

from npbert import simd
from npbert.errors import KernelError
from npbert.simd.kernel import inline, kernel
from npbert.simd.precision import (
    BFLOAT16,
    BFLOAT16_STORED,
    FLOAT16_STORED,
    FLOAT32,
    FLOAT64,
)

PATTERN = "void(real[:, ::1], stored[:, ::1], real[:, ::1])"
UNSTORED = "void(real[:, ::1], real[:, ::1])"


def _double(x, weights, out):
    """(R, 16), (1, 16) -> (R, 16)"""
    for row in range(x.shape[0]):
        value = simd.load(x, row, 0) * simd.fill(2.0) + simd.load(weights, 0, 0)
        simd.store(simd.rounded(value), out, row, 0)


@pytest.fixture
def double():
    """A kernel with no variant yet."""
    return kernel(PATTERN)(_double)


def test_an_index_gives_the_variant_of_a_precision(double):
    assert double[FLOAT32] is double
    variants = {precision: double[precision] for precision in ALL}
    assert len(set(variants.values())) == 6
    for precision, variant in variants.items():
        assert double[precision] is double[FLOAT64][precision] is variant
        assert variant.precision == precision
        assert variant.function is variant.__wrapped__ is _double
        assert variant.__doc__ == double.__doc__
        assert not variant.ready
    assert double[FLOAT64].name == "_double_float64"
    assert repr(double[BFLOAT16]) == f"<kernel {__name__}._double_bfloat16>"
    assert double[BFLOAT16].signature == "void(float32[:, ::1], uint16[:, ::1], float32[:, ::1])"


def test_variants_that_would_be_the_same_code_are_one_kernel():
    """Where nothing stored is read, nor anything rounded."""
    made = kernel(UNSTORED)(_double)
    assert made[BFLOAT16_STORED] is made[FLOAT16_STORED] is made
    assert len({made[precision] for precision in ALL}) == 4


def test_threads_that_come_at_once_get_one_variant(double):
    together, found = threading.Barrier(8), []

    def index():
        together.wait()
        found.append(double[BFLOAT16])

    threads = [threading.Thread(target=index) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(found) == 8
    assert len(set(found)) == 1


@pytest.mark.parametrize("wrong", ["float64", None, np.float64])
def test_only_a_precision_is_an_index(double, wrong):
    with pytest.raises(AttributeError):
        double[wrong]


@pytest.mark.kernel
@every
def test_a_variant_computes_in_its_precision(double, precision):
    random = np.random.default_rng(0)
    x = random.standard_normal((3, 16)).astype(precision.real)
    weights, out = precision.weights(random.standard_normal((1, 16))), np.empty_like(x)
    double[precision](x, precision.bits(weights), out)
    assert_same_bits(out, rounded(2 * x + weights, precision))
    assert not any(double[other].ready for other in ALL if other != precision)
    with pytest.raises(TypeError):
        double[precision](x.astype(np.float16), precision.bits(weights), out)


@kernel(UNSTORED)
def halve(x, out):
    simd.store(simd.rounded(simd.load(x, 0, 0) * simd.fill(0.5)), out, 0, 0)


halve_plainly = halve.plain


@inline
def halve_twice(x, out):
    halve(x, out)
    halve_plainly(x, out[1:])


@kernel(UNSTORED)
def halve_both_ways(x, out):
    halve_twice(x, out)


@pytest.mark.kernel
@every
def test_a_kernel_calls_those_of_its_own_precision_or_the_plain_ones(precision):
    """Also by way of a piece that is copied into it."""
    x = np.full((1, 16), 1 + 2.0**-12, precision.real)
    out = np.empty((2, 16), precision.real)
    halve_both_ways[precision](x, out)
    assert_same_bits(out[0], rounded(x[0] / 2, precision))
    assert_same_bits(out[1], x[0] / 2)
    assert halve_plainly[precision] is halve[precision.plain]


@pytest.mark.kernel
def test_a_plain_kernel_is_called_as_it_is():
    x, out = np.full((1, 16), 3, np.float32), np.empty((1, 16), np.float32)
    halve_plainly(x, out)
    assert (out == 1.5).all()


def test_a_piece_has_variants_too_and_none_can_be_called():
    assert halve_twice[FLOAT16_STORED] is not halve_twice
    with pytest.raises(KernelError, match="halve_twice_float64 is a piece of kernels"):
        halve_twice[FLOAT64](None, None)


# -- the names of `npbert.simd` --------------------------------------------------------------------


@pytest.mark.kernel
@every
def test_every_name_is_there_in_every_precision(precision):
    own = simd.of(precision)
    assert own is simd.of(precision)
    for name in (*simd._PLACE_OF, *simd._FACTS):
        assert getattr(own, name) is not None
    assert precision.real_dtype.itemsize == own.REAL_BYTES
    assert precision.stored_dtype.itemsize == own.STORED_BYTES
    with pytest.raises(AttributeError, match=r"module 'npbert.simd' has no attribute 'nothing'"):
        _ = own.nothing


def test_without_more_said_it_is_float32():
    assert simd.of(FLOAT32) is simd


# -- on disk ---------------------------------------------------------------------------------------

NORMALIZE = """
import hashlib, sys
import numpy as np
from npbert.ops.layer_norm import layer_norm_kernel
from npbert.simd.precision import PRECISIONS

x = np.random.default_rng(0).standard_normal((3, 16)).astype(np.float32)
gamma, beta = np.ones((1, 16), np.float32), np.zeros((1, 16), np.float32)
for name in sys.argv[1:]:
    variant, out = layer_norm_kernel[PRECISIONS[name]], np.empty_like(x)
    loaded = variant.load()
    variant(x, gamma, beta, 1e-12, 16, out)
    print(name, loaded, hashlib.sha256(out.tobytes()).hexdigest())
"""


def normalize(cache, *precisions):
    """Name -> whether the variant was on disk, and the hash of its results; in a new process."""
    root = str(Path(simd.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "NPBERT_CACHE_DIR": str(cache)}
    command = [sys.executable, "-W", "error", "-c", NORMALIZE, *precisions]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: rest for name, *rest in map(str.split, done.stdout.splitlines())}


@pytest.mark.kernel
@pytest.mark.parametrize("order", [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_variants_of_the_same_types_are_kept_apart_on_disk(tmp_path, order):
    """Both take float32 arrays; whichever is loaded first, each is itself."""
    tmp_path.chmod(0o700)
    made = normalize(tmp_path, "float32", "bfloat16")
    assert [loaded for loaded, _ in made.values()] == ["False", "False"]
    assert made["float32"][1] != made["bfloat16"][1]
    kept = normalize(tmp_path, *order)
    assert kept == {name: ["True", made[name][1]] for name in order}
