"""One pass: its scratch memory, its kernels, and what it says when it has to compile them."""

from __future__ import annotations

from itertools import pairwise

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
from npbert.simd.sources import PACKAGES


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


def test_every_kernel_of_a_pass_is_made_ready_for_every_activation():
    """One list serves both activations: each of them is a piece of the layer's kernel."""
    wanted = {embedding_kernel, layer_norm_kernel, layers_kernel, gemm_kernel, tanh_kernel}
    wanted |= {linger_kernel}
    assert {*forward.KERNELS} == wanted
    assert len(forward.KERNELS) == len(wanted)


@pytest.mark.parametrize("kernel", forward.KERNELS, ids=lambda kernel: kernel.name)
def test_every_kernel_of_a_pass_is_kept_on_disk(kernel):
    """Elsewhere than in the cache's packages, every process would compile it again."""
    assert kernel.function.__module__.rpartition(".")[0] in PACKAGES


@pytest.mark.kernel
@pytest.mark.parametrize("case", ["deep", "hf_deep_erf", "no_layers"])
def test_a_pass_calls_no_other_kernel(case, monkeypatch):
    called = set()
    ours = Kernel.__call__

    def seen(self, *arguments):
        called.add(self)
        ours(self, *arguments)

    model = goldens.backbone(case)
    with monkeypatch.context() as patch:
        patch.setattr(Kernel, "__call__", seen)
        model(goldens.inputs(case))
    layers = {layers_kernel} if model.config.num_layers else set()
    assert called - {linger_kernel} == {*forward.KERNELS} - {layers_kernel, linger_kernel} | layers


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
