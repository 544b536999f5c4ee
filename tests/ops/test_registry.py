from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.kernel_cases import CASES, ONE_PRECISION, kernels
from precisions import ALL, marks
from simd.exact import assert_same_bits
from simd.memory import Canaries

import npbert.engine
import npbert.ops
import npbert.simd
import npbert.tasks
from npbert.ops.registry import OPS
from npbert.simd.kernel import Kernel


def modules():
    """Every module that may hold kernels, and can be imported without compiling."""
    for package in (npbert.ops, npbert.simd, npbert.engine, npbert.tasks):
        for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            if found.name != "npbert.simd.tile":  # it asks for the machine's instruction set
                yield importlib.import_module(found.name)


VARIANTS = [
    pytest.param(name, precision, marks=marks(precision), id=f"{name}-{precision.name}")
    for name in CASES
    for precision in (ALL[:1] if name in ONE_PRECISION else ALL)
]


def test_every_kernel_is_in_the_registry_or_has_a_reason_and_has_cases():
    found = {
        value.name: value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, Kernel) and value.signature
    }
    assert kernels() == found
    assert found.keys() == CASES.keys()


def test_every_op_has_a_definition_and_kernels():
    for name, op in OPS.items():
        assert callable(op.definition), name
        assert callable(op.compiled), name
        assert op.kernels, name
        assert all(isinstance(kernel, Kernel) for kernel in op.kernels), name


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "precision"), VARIANTS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_a_kernel_writes_into_its_results_only(name, precision, seed):
    """Canaries on both sides of every array; inputs stay as they were; the same bits twice."""
    kernel = kernels()[name][precision]
    case, again = (CASES[name](np.random.default_rng(seed), precision) for _ in range(2))
    guarded = Canaries()
    arguments = [guarded(x) if isinstance(x, np.ndarray) else x for x in case.arguments]
    kernel(*arguments)
    guarded.check()
    kernel(*again.arguments)
    for i, (argument, before) in enumerate(zip(arguments, case.arguments, strict=True)):
        if i in case.written and argument.dtype == precision.real:
            assert_same_bits(argument, again.arguments[i])
        elif i in case.written:
            assert np.array_equal(argument, again.arguments[i])
        elif isinstance(argument, np.ndarray):
            assert argument.tobytes() == before.tobytes(), f"argument {i} was written"


@pytest.mark.kernel
def test_a_canary_notices_a_row_too_many():
    """The harness itself: one row more than the result has room for."""
    guarded = Canaries()
    a, out = (guarded(np.ones((5, 16), np.float32)) for _ in range(2))
    nothing = np.zeros((0, 0), np.float32)
    panels = npbert.simd.panels.pack(np.ones((7, 16), np.float32))
    kernels()["gemm_kernel"](5, a, 7, panels, 16, nothing, nothing, 0, out, 0, 1)
    guarded.check()
    kernels()["gemm_kernel"](6, a, 7, panels, 16, nothing, nothing, 0, out, 0, 1)
    with pytest.raises(AssertionError, match=r"byte \d+ after array 1 was written"):
        guarded.check()


def test_a_canary_notices_a_byte_before():
    guarded = Canaries()
    x = guarded(np.ones(16, np.float32))
    np.ndarray(17, np.float32, buffer=x.base, offset=x.ctypes.data - x.base.ctypes.data - 4)[0] = 0
    with pytest.raises(AssertionError, match=r"byte 1 before array 0 was written"):
        guarded.check()
