"""One pass: its scratch memory, its kernels, and what it says when it has to compile them."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import goldens
import numpy as np
import pytest

from npbert.engine import forward
from npbert.engine.forward import Forward, Workspace
from npbert.engine.packed import PackedWeights
from npbert.engine.plan import plan_sequences
from npbert.ops.embedding import embedding_kernel
from npbert.ops.layer_norm import layer_norm_kernel
from npbert.ops.pooler import tanh_kernel
from npbert.ops.transformer_layer import layers_kernel
from npbert.simd import barrier
from npbert.simd.barrier import linger_kernel
from npbert.simd.gemm import gemm_kernel
from npbert.simd.kernel import Kernel
from npbert.simd.precision import PRECISIONS
from npbert.simd.sources import PACKAGES

TESTS = Path(__file__).parents[1]

every_precision = pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)


def test_a_workspace_grows_and_is_used_again():
    space = Workspace()
    small = space.get("x", 3, 5)
    assert small.shape == (3, 5)
    assert small.ctypes.data % 64 == 0
    assert np.shares_memory(space.get("x", 5, 3), small)
    assert not np.shares_memory(space.get("y", 3, 5), small)
    large = space.get("x", 40, 5)
    assert not np.shares_memory(large, small)
    assert np.shares_memory(space.get("x", 2, 2), large)


def test_a_workspace_of_another_dtype():
    config = goldens.config("odd_width")
    space = Workspace(np.float64)
    assert {array.dtype for array in space.for_attention(config, 7)} == {np.dtype(np.float64)}


@every_precision
def test_every_kernel_of_a_pass_is_made_ready_for_every_activation(precision):
    """One list serves both activations: each of them is a piece of the layer's kernel."""
    ops = embedding_kernel, layer_norm_kernel, layers_kernel, gemm_kernel, tanh_kernel
    wanted = {*(op[precision] for op in ops), linger_kernel}
    assert {*forward.kernels(precision)} == wanted
    assert len(forward.kernels(precision)) == len(wanted)
    for op in ops:  # what neither reads weights nor rounds is one for several precisions
        same = op in (layer_norm_kernel, tanh_kernel) and not precision.rounded
        assert op[precision].precision == (precision.plain if same else precision)


@pytest.mark.parametrize(
    "kernel", forward.kernels(PRECISIONS["bfloat16"]), ids=lambda kernel: kernel.name
)
def test_every_kernel_of_a_pass_is_kept_on_disk(kernel):
    """Elsewhere than in the cache's packages, every process would compile it again."""
    assert kernel.function.__module__.rpartition(".")[0] in PACKAGES


@pytest.mark.kernel
@pytest.mark.parametrize("case", ["deep", "hf_deep_erf", "no_layers"])
@every_precision
def test_a_pass_calls_no_other_kernel(case, precision, monkeypatch):
    """Neither of another op nor of another precision."""
    called = set()
    ours = Kernel.__call__

    def seen(self, *arguments):
        called.add(self)
        ours(self, *arguments)

    model = goldens.backbone(case, dtype=precision.name)
    with monkeypatch.context() as patch:
        patch.setattr(Kernel, "__call__", seen)
        model(goldens.inputs(case))
    wanted = {*forward.kernels(precision)} - {linger_kernel}
    if not model.config.num_layers:
        wanted.remove(layers_kernel[precision])
    assert called - {linger_kernel} == wanted


_LAZY = """
import sys
import npbert, npbert.ops.registry
assert "numba" not in sys.modules
import goldens
from npbert.engine import warmup

def touched():
    # In which precisions Numba has been given any kernel, to compile it or to load it.
    variants = [each for kernel in warmup.kernels().values() for each in kernel._variants.values()]
    return sorted({each.precision.name for each in variants if each._dispatcher is not None})

print(*touched(), "nothing")
for dtype in ("float32", "mixed_bfloat16"):
    goldens.backbone("odd_width", dtype=dtype)
    print(*touched(), f"made {dtype}")
    goldens.backbone("odd_width", dtype=dtype)(goldens.inputs("odd_width"))
    print(*touched(), f"ran {dtype}")
"""


@pytest.mark.kernel
def test_no_kernel_is_compiled_before_a_model_of_its_precision_runs():
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    env = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", _LAZY]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            "nothing",
            "made float32",
            "float32 ran float32",
            "float32 made mixed_bfloat16",
            "bfloat16 float32 ran mixed_bfloat16",
        ],
    ), done.stderr


@pytest.mark.kernel
@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_a_stopped_pass_ends_between_layers(layers, monkeypatch):
    monkeypatch.setattr(forward, "CALL_WORK", 0)  # a call for each layer
    packed = PackedWeights(goldens.config("deep"), goldens.weights("deep"))
    plan = plan_sequences([np.array([3, 1, 4, 1], np.int32)])

    def run(stopped):
        """x before every layer, and at the end."""
        seen = []
        space = Workspace()
        one = Forward(packed, plan, space)
        one.embed()

        def between():
            seen.append(one.x.copy())
            return stopped(len(seen))

        one.layers(0, 1, barrier.new_state(), space, between)
        return [*seen, one.x.copy()]

    whole = run(lambda asked: False)
    assert len(whole) == 3 + 1
    for before, after in pairwise(whole):
        assert not np.array_equal(before, after)  # each layer does something
    seen = run(lambda asked: asked > layers)
    assert len(seen) == layers + (2 if layers < 3 else 1)
    np.testing.assert_array_equal(goldens.bits(seen[-1]), goldens.bits(whole[layers]))


class FakeKernel:
    """Counts what `prepare` does with it."""

    def __init__(self, *, ready=False, on_disk=False):
        self.ready, self.on_disk, self.compiled = ready, on_disk, False

    def load(self):
        self.ready = self.ready or self.on_disk
        return self.ready

    def prepare(self):
        self.compiled = self.ready = True


def test_ready_kernels_need_nothing(capsys):
    forward.prepare((FakeKernel(ready=True),))
    assert capsys.readouterr() == ("", "")


def test_kernels_on_disk_are_loaded_without_a_word(capsys):
    kernels = (FakeKernel(on_disk=True), FakeKernel(ready=True), FakeKernel(on_disk=True))
    forward.prepare(kernels)
    assert all(each.ready and not each.compiled for each in kernels)
    assert capsys.readouterr() == ("", "")


def test_compiling_is_said_once_on_stderr(capsys):
    kernels = (FakeKernel(), FakeKernel(ready=True), FakeKernel())
    forward.prepare(kernels)
    assert [each.compiled for each in kernels] == [True, False, True]
    printed = capsys.readouterr()
    assert printed.err.startswith("npbert: compiling kernels, once for this machine (2, about 4 s)")
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    forward.prepare(kernels)
    assert capsys.readouterr() == ("", "")


def test_one_kernel_missing_of_many_on_disk(capsys):
    kernels = (FakeKernel(on_disk=True), FakeKernel(), FakeKernel(on_disk=True))
    forward.prepare(kernels)
    assert all(each.ready for each in kernels)
    assert [each.compiled for each in kernels] == [False, True, False]
    assert "(1, about 2 s)" in capsys.readouterr().err
