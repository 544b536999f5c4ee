"""Weights of 16 bits, loaded from a panel: each is the float32 of the same value."""

from __future__ import annotations

import numpy as np
import pytest
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from simd.exact import assert_same_bits

from npbert.simd import isa, widened
from npbert.simd.kernel import kernel
from npbert.simd.panels import pack, panel_columns
from npbert.simd.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Precision
from npbert.simd.vector import DOUBLE, FLOAT, f32x16, f64x16
from npbert.simd.vector_memory import store

pytestmark = pytest.mark.kernel

STORED = {each.stored: each for each in (FLOAT32, FLOAT64, FLOAT16, BFLOAT16)}
FIVE = 5


def loader(stored, odd):
    """An intrinsic: the address of a panel one vector wide, and k -> the vector."""

    @intrinsic
    def load(typing, panel, k):
        def codegen(context, builder, sig, args):
            panel, k = args
            source = builder.inttoptr(panel, widened.element_of(stored).as_pointer())
            one, nothing = (ir.Constant(ir.IntType(64), n) for n in (1, 0))
            return widened.load_weights(builder, stored, source, one, k, nothing, odd)

        return (f64x16 if stored == "float64" else f32x16)(types.intp, types.intp), codegen

    return load


def loaded(stored, rows, odd=None):
    """Every ``rows[k]`` of sixteen weights, through a panel; only the odd ones, or the even."""
    load, precision = loader(stored, odd), STORED[stored]

    def body(panel, first, step, out):
        for k in range(first, out.shape[0], step):
            store(load(panel.ctypes.data, k), out, k, 0)

    run = kernel("void(stored[::1], int64, int64, real[:, ::1])")(body)[precision]
    out = np.full(rows.shape, np.nan, precision.real)
    every = (0, 1) if odd is None else (int(odd), 2)
    run(pack(rows, precision=precision), *every, out)
    return out


def numbers_of(precision: Precision):
    """All finite numbers of 16 bits, sixteen a row: an odd number of rows."""
    numbers = precision.numbers(np.arange(2**16, dtype=np.uint16).view(precision.stored_dtype))
    numbers = numbers[np.isfinite(numbers.astype(np.float32))]
    return numbers[: len(numbers) // 32 * 32 - 16].reshape(-1, 16)


@pytest.mark.parametrize("precision", [FLOAT16, BFLOAT16], ids=lambda each: each.name)
def test_every_16_bit_number(precision):
    numbers = numbers_of(precision)
    assert numbers.size > 2**16 - 2**11 - 64
    assert len(numbers) % 2
    assert_same_bits(loaded(precision.stored, numbers), numbers.astype(np.float32))


@pytest.mark.parametrize("odd", [False, True])
def test_whether_k_is_odd_may_be_known(odd):
    numbers = numbers_of(BFLOAT16)
    expected = numbers.astype(np.float32)
    expected[int(not odd) :: 2] = np.nan
    assert_same_bits(loaded("bfloat16", numbers, odd), expected)


def test_float16_on_a_machine_that_has_no_instruction_for_it(monkeypatch):
    triple, cpu, features = isa.target()
    monkeypatch.setattr(isa, "target", lambda: (triple, cpu, features.replace("+f16c", "-f16c")))
    numbers = numbers_of(FLOAT16)
    assert_same_bits(loaded("float16", numbers), numbers.astype(np.float32))


def test_what_is_not_finite_is_so_in_bfloat16():
    numbers = BFLOAT16.numbers(np.uint16([[0x7F80, 0xFF80, 0x7FC0, 0xFFC1] * 4] * 3))
    assert_same_bits(loaded("bfloat16", numbers), numbers.astype(np.float32))


@pytest.mark.parametrize("stored", ["float32", "float64"])
def test_wider_weights_are_loaded_as_they_are(stored):
    numbers = np.random.default_rng(0).standard_normal((FIVE, 16)).astype(stored)
    assert_same_bits(loaded(stored, numbers), numbers)


def test_elements():
    found = {stored: widened.element_of(stored) for stored in STORED}
    assert (found["float32"], found["float64"]) == (FLOAT, DOUBLE)
    assert (str(found["float16"]), str(found["bfloat16"])) == ("i16", "i32")
    assert panel_columns(FLOAT16) == panel_columns(FLOAT32)
