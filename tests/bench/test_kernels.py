"""Kernels alone, and a pass as the sum of them."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.bench import kernels, models, op_cases
from npbert.ops.gelu import gelu_kernel
from npbert.simd import buffers
from npbert.simd.kernel import Kernel

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(models.find("tiny", tmp_path_factory.mktemp("models")))


def test_calls_are_noted_and_what_they_changed_is_put_back():
    x = buffers.zeros(3, 32)
    x[:] = np.linspace(-3, 3, 96, dtype=np.float32).reshape(3, 32)
    plain = Kernel.__call__
    with kernels.noted() as calls:
        gelu_kernel(x, x)
    assert Kernel.__call__ is plain
    (call,) = calls
    after = x.copy()
    for _ in range(3):
        assert call.seconds() > 0
        np.testing.assert_array_equal(x, after)


def test_ops(tiny):
    found = kernels.measure(2, 19, tiny)
    assert {line.op for line in found} == {
        case.op for case in op_cases.cases(models.config_of(tiny), 2, 19)
    }
    assert all(0 < line.best <= line.median for line in found)
    assert all(bool(line.copy) == bool(line.bytes) for line in found)


def test_a_pass_op_by_op(tiny):
    found = {line.op: line for line in kernels.profile(2, 19, tiny)}
    steps = dict.fromkeys([*op_cases.EMBEDDINGS, *op_cases.LAYER, *op_cases.POOLER])
    assert list(found) == [*steps, op_cases.WHOLE]
    assert sum(line.flops for line in found.values()) == 2 * found[op_cases.WHOLE].flops
    assert all(line.best > 0 for line in found.values())
