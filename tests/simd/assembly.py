"""The tile's machine code for processors that are not here, and what its inner loops are made of.

A tile is vector code that names no machine: its LLVM IR, compiled once by Numba, is handed to
LLVM's other targets. Run as a program, this prints the IR of each width, or of kernels, as JSON::

    python assembly.py ISA STORED [tile_rows tile_vectors]
    python assembly.py ISA kernels

STORED is the dtype that the tile's weights are stored in.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm

TESTS = Path(__file__).parents[1]
LINUX, MACOS = "unknown-linux-gnu", "apple-macosx"


class Machine(NamedTuple):
    """A processor by LLVM's name, and how vectors are written in its assembly."""

    triple: str
    isa: str
    lanes: int
    register: str
    """Matches a whole vector register."""

    @property
    def fma(self) -> str:
        """Matches a fused multiply-add of one such register."""
        if self.isa == "neon":
            return rf"\bfmla(?:\.\d[sd])?\s+(?:{self.register})"
        return rf"\bvfmadd\d+p[sd]\s.*(?:{self.register})"

    @property
    def comment(self) -> str:
        """Matches what begins one."""
        return r"\s+(?:;|//)" if self.isa == "neon" else r"\s+#"


_X86, _NEON = "x86_64-", r"v\d+(?:\.\d[sd])?\b|q\d+\b"
MACHINES = {
    "skylake-avx512": Machine(_X86 + LINUX, "avx512", 16, r"%zmm\d+"),
    "znver4": Machine(_X86 + LINUX, "avx512", 16, r"%zmm\d+"),
    "haswell": Machine(_X86 + LINUX, "avx2", 8, r"%ymm\d+"),
    "neoverse-n1": Machine("aarch64-" + LINUX, "neon", 4, _NEON),
    "apple-m1": Machine("arm64-" + MACOS, "neon", 4, _NEON),
}


class Loop(NamedTuple):
    """An innermost loop that multiplies and adds."""

    fmas: int
    others: list[str]
    """Multiplications and additions of vectors that are not fused."""
    spills: list[str]
    """Vectors written to the stack, or read from it."""


# -- the IR, in a process that takes the machine's tile for its own --------------------------------


def ir_of(isa: str, what: str, *shape: int) -> dict[str, str]:
    """Name -> LLVM IR: of tiles, each a function that does nothing else, or of ``"kernels"``.

    ``what`` is else the dtype of a tile's weights; ``shape``, rows and vectors, is a tile's other
    than that of ``isa``.
    """
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    # No directory of entries: they would decide what this process compiles for.
    env = os.environ | {"PYTHONPATH": path, "NPBERT_ISA": isa, "NPBERT_CACHE_DIR": os.devnull}
    command = [sys.executable, "-W", "ignore", __file__, isa, what, *map(str, shape)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def _main(name: str, what: str, *shape: str) -> None:
    from npbert.simd import isa

    if shape:
        rows, vectors = map(int, shape)
        isa.ISAS[name] = isa.ISAS[name]._replace(tile_rows=rows, tile_vectors=vectors)
    if name == "neon":  # it has none of the features of the machine that makes the IR
        triple, cpu, _ = isa.target()
        isa.target = lambda: (triple, cpu, "")
    if what == "kernels":
        kernels = _epilogues()
    else:
        widest = 1 if what == "float64" else isa.ISAS[name].tile_vectors
        kernels = {str(width): _one_tile(width, what) for width in range(1, widest + 1)}
    print(json.dumps({each: _ir(kernel) for each, kernel in kernels.items()}))


def _one_tile(width: int, stored: str) -> Any:
    """A kernel that is the tile of this width, whatever whole numbers it takes."""
    from npbert.simd import tile, widening
    from npbert.simd.kernel import Kernel

    paces = widening.PACES if "16" in stored else tile.PACES
    one = tile.tile(width, stored, paces)
    taken = list(inspect.signature(one._defn).parameters)[1:]  # but for `typing`
    names = ", ".join(taken)
    made: dict[str, Any] = {"tile": one, "__name__": __name__}
    exec(f"def one_tile({names}):\n    tile({names})", made)
    return Kernel(made["one_tile"], f"void({', '.join(['int64'] * len(taken))})")


def _epilogues() -> dict[str, Any]:
    """What follows a product, as kernels of their own."""
    from npbert.ops.gelu import GELU_KERNELS
    from npbert.ops.softmax import softmax_kernel

    return {each.name: each for each in (*GELU_KERNELS.values(), softmax_kernel)}


def _ir(kernel: Any) -> str:
    kernel.prepare()
    (text,) = kernel.dispatcher.inspect_llvm().values()
    return str(text)


# -- the assembly ----------------------------------------------------------------------------------


def assembly(ir: str, cpu: str) -> str:
    """What LLVM makes of IR for another processor."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(MACHINES[cpu].triple).create_target_machine(cpu=cpu, opt=3)
    ir = re.sub(r"^target (?:triple|datalayout) = .*\n", "", ir, flags=re.M)
    module = llvm.parse_assembly(re.sub(r"\bcomdat(?:\(\S+\))?(?=\s|$)|^\$.*= comdat.*$", "", ir))
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    return str(machine.emit_assembly(module))


_LABEL = re.compile(r"^(\S+):")
_JUMP = re.compile(r"^\s+(?:j\w+|b(?:\.\w+)?|cbn?z\s.*|tbn?z\s.*)\s+(\.?L\w+)$")
_UNFUSED = re.compile(r"^\s+v?(?:mul|add)p[sd]\b|^\s+f(?:mul|add)(?:\.\d[sd])?\s+v")
_FRAME = re.compile(r"^\s+(?:movq\s+%rsp, %rbp|mov\s+x29, sp|add\s+x29, sp.*)$")


def loops(code: str, cpu: str) -> list[Loop]:
    """The innermost loops that have a fused multiply-add."""
    machine = MACHINES[cpu]
    lines = [re.split(machine.comment, line)[0].rstrip() for line in code.splitlines()]
    labels = {found[1]: i for i, line in enumerate(lines) if (found := _LABEL.match(line))}
    jumps = ((i, labels.get(found[1], i)) for i, x in enumerate(lines) if (found := _JUMP.match(x)))
    back = [(start, end) for end, start in jumps if start < end]
    inner = [a for a in back if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in back)]
    functions = [0, *(i for name, i in labels.items() if not re.match(r"\.?L", name))]
    found = []
    for start, end in sorted(inner):
        head = lines[max(i for i in functions if i <= start) : end]
        found.append(_loop(lines[start:end], machine, _stack(head)))
    return [each for each in found if each.fmas]


def _stack(function: list[str]) -> str:
    """Matches an address on the stack; the frame's register is one where a frame is set up."""
    frame = any(_FRAME.match(line) for line in function)
    return r"\(%rsp|\[sp\b" + (r"|\(%rbp|\[x29\b" if frame else "")


def _loop(lines: list[str], machine: Machine, stack: str) -> Loop:
    moved = [line for line in lines if re.search(stack, line)]
    return Loop(
        sum(bool(re.search(machine.fma, line)) for line in lines),
        [line for line in lines if _UNFUSED.match(line)],
        [line for line in moved if re.search(rf"%[xyz]mm|{machine.register}", line)],
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
