"""One pass: its scratch memory, its kernels, and what it says when it has to compile them."""

from __future__ import annotations

import goldens
import numpy as np
import pytest

from npbert.engine import forward
from npbert.engine.forward import Forward, Workspace
from npbert.engine.packed import PackedWeights
from npbert.engine.plan import plan_sequences
from npbert.ops.gelu import GELU_KERNELS


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


def test_kernels_are_those_of_the_activation():
    for activation, kernel in GELU_KERNELS.items():
        names = [each.name for each in forward.kernels(activation)]
        assert kernel.name in names
        assert len(set(names)) == len(names) == 6


@pytest.mark.kernel
@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_a_stopped_pass_ends_between_layers(layers):
    packed = PackedWeights(goldens.config("deep"), goldens.weights("deep"))
    plan = plan_sequences([np.array([3, 1, 4, 1], np.int32)])
    asked = []

    def stopped():
        asked.append(1)
        return len(asked) > layers

    stages = []
    Forward(packed, plan, Workspace(), lambda name, value: stages.append(name), stopped).run()
    ran = {name.split(".")[1] for name in stages if name.startswith("layer.")}
    assert ran == {str(i) for i in range(layers)}


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
    forward.prepare([FakeKernel(ready=True)])
    assert capsys.readouterr() == ("", "")


def test_kernels_on_disk_are_loaded_without_a_word(capsys):
    kernels = [FakeKernel(on_disk=True), FakeKernel(ready=True), FakeKernel(on_disk=True)]
    forward.prepare(kernels)
    assert all(each.ready and not each.compiled for each in kernels)
    assert capsys.readouterr() == ("", "")


def test_compiling_is_said_once_on_stderr(capsys):
    kernels = [FakeKernel(), FakeKernel(ready=True), FakeKernel()]
    forward.prepare(kernels)
    assert [each.compiled for each in kernels] == [True, False, True]
    printed = capsys.readouterr()
    assert printed.err.startswith("npbert: compiling kernels, once for this machine (2, about 2 s)")
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    forward.prepare(kernels)
    assert capsys.readouterr() == ("", "")


def test_one_kernel_missing_of_many_on_disk(capsys):
    kernels = [FakeKernel(on_disk=True), FakeKernel(), FakeKernel(on_disk=True)]
    forward.prepare(kernels)
    assert all(each.ready for each in kernels)
    assert [each.compiled for each in kernels] == [False, True, False]
    assert "(1, about 1 s)" in capsys.readouterr().err
