"""The machine code of the tile on processors that most of us do not have: nothing is lost in it.

LLVM decides how a tile's sums get into registers. Where they do not fit, it keeps some on the stack
and the product takes twice as long: with the same bits, so that no other test would notice.
"""

from __future__ import annotations

import platform
import re
from functools import cache

import pytest
from simd import assembly
from simd.assembly import MACHINES, loops

from npbert.simd.buffers import LANES
from npbert.simd.isa import ISAS

pytestmark = pytest.mark.kernel


@cache
def ir(isa, what="float32", *shape):
    return assembly.ir_of(isa, what, *shape)


def tiles(cpu, stored="float32", *shape):
    """Width in vectors -> the inner loops of such a tile."""
    found = ir(MACHINES[cpu].isa, stored, *shape)
    return {int(width): loops(assembly.assembly(text, cpu), cpu) for width, text in found.items()}


def steps(loop, rows, width, lanes):
    """How many steps of k one turn of the loop takes; it must be a whole number."""
    each = rows * width * LANES // lanes
    assert loop.fmas % each == 0, f"{loop.fmas} FMAs in a loop whose steps have {each}"
    return loop.fmas // each


@pytest.mark.parametrize("cpu", MACHINES)
@pytest.mark.parametrize("stored", ["float32", "float64", "float16", "bfloat16"])
def test_every_width_of_tile_keeps_its_sums_in_registers(stored, cpu):
    isa, lanes = ISAS[MACHINES[cpu].isa], MACHINES[cpu].lanes
    rows, vectors = isa.tile_rows, isa.tile_vectors
    if stored == "float64":
        rows, vectors, lanes = isa.tile_rows_64, 1, lanes // 2
    found = tiles(cpu, stored)
    assert list(found) == list(range(1, vectors + 1))
    for width, inner in found.items():
        taken = [steps(loop, rows, width, lanes) for loop in inner]
        assert max(taken) >= 4, "the main loop is not unrolled"
        for loop, turn in zip(inner, taken, strict=True):
            where = f"{cpu}, {width} vectors wide, {turn} steps in a turn"
            # Without an instruction for it, float16 takes a multiplication to widen.
            without = stored == "float16" and isa.name == "neon"
            widened = turn * width * LANES // lanes if without else 0
            assert len(loop.others) == widened, where
            # A pair of weights may wait there for the odd step, which is faster than to load it
            # again; a sum would be written and read in every step.
            kept = turn if stored == "bfloat16" and turn > 1 else 0
            assert len(loop.spills) <= kept, f"{where}: {len(loop.spills)} vectors on the stack"


@pytest.mark.parametrize("cpu", ["skylake-avx512", "znver4", "neoverse-n1", "apple-m1"])
def test_a_tile_that_is_too_large_is_noticed(cpu):
    """Fourteen rows of three vectors are 42 sums where there are 32 registers, or 168."""
    inner = tiles(cpu, "float32", 14, 3)[3]
    assert {steps(loop, 14, 3, MACHINES[cpu].lanes) for loop in inner} >= {1, 4}
    assert all(loop.spills for loop in inner)


@pytest.mark.parametrize("cpu", ["skylake-avx512", "haswell", "neoverse-n1"])
def test_products_that_are_not_fused_are_noticed(cpu):
    text = ir(MACHINES[cpu].isa)["1"]
    call = re.compile(r"(%\S+) = (?:tail )?call <16 x float> @llvm\.fma\.v16f32\((.*)\)")

    def apart(found):
        a, b, c = (each.split()[-1] for each in found[2].split(", "))
        name = found[1].replace('"', "").replace("%", "")
        product = f'%"{name}.product"'
        return (
            f"{product} = fmul <16 x float> {a}, {b}\n"
            f"  {found[1]} = fadd <16 x float> {product}, {c}"
        )

    text, count = call.subn(apart, text)
    assert count
    code = assembly.assembly(text, cpu)
    assert loops(code, cpu) == []  # no loop has a fused one
    assert re.search(r"\bvmulps\s|\bfmul(?:\.4s)?\s", code)


@pytest.mark.parametrize("cpu", ["skylake-avx512", "znver4"])
def test_what_follows_a_product_stays_in_registers_too(cpu):
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("these kernels count references, which Numba compiles for its own machine")
    for name, text in ir("avx512", "kernels").items():
        code = assembly.assembly(text, cpu)
        inner = loops(code, cpu)
        assert inner, name
        assert not any(loop.spills for loop in inner), name
        assert not re.search(r"\bcall\w*\s.*\b(?:fma|exp|erf|tanh)f?\b", code), name
