"""Which instruction set Numba compiles for, and the register tile that suits it.

The choice decides speed and nothing else: the numerics contract fixes every bit on all of them.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Final, NamedTuple

from npbert.errors import ConfigError


class Isa(NamedTuple):
    """An instruction set, and the shape of its tile of accumulators.

    The tile is ``tile_rows`` x (``tile_vectors`` x 16) values, held in registers through the whole
    inner product. Sixteen lanes are one AVX-512 register, two of AVX2, four of NEON or SSE.
    """

    name: str
    tile_rows: int
    tile_vectors: int


ISAS: Final = {
    "avx512": Isa("avx512", 8, 3),  # 24 accumulators of 32 registers
    "avx2": Isa("avx2", 6, 1),  # 12 of 16
    "neon": Isa("neon", 6, 1),  # 24 of 32
    "generic": Isa("generic", 2, 1),  # 8 of SSE2's 16
}


@cache
def current() -> Isa:
    """The instruction set of Numba's target; ``NPBERT_ISA`` overrides. Decided once a process.

    Raises:
        ConfigError: ``NPBERT_ISA`` names none of ours.
    """
    chosen = os.environ.get("NPBERT_ISA")
    if chosen is None:
        return ISAS[_of_target(*target())]
    if chosen not in ISAS:
        raise ConfigError(
            "the environment variable NPBERT_ISA names no instruction set of npbert.",
            received=repr(chosen),
            expected=", ".join(ISAS),
            fix="unset it to use what this machine has",
        )
    return ISAS[chosen]


def target() -> tuple[str, str, str]:
    """Numba's target: LLVM triple, CPU name, feature string."""
    import llvmlite.binding as llvm
    from numba import config

    cpu = config.CPU_NAME or llvm.get_host_cpu_name()
    features = config.CPU_FEATURES
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
    return llvm.get_process_triple(), cpu, features


def _of_target(triple: str, cpu: str, features: str) -> str:
    enabled = set(features.split(","))
    if {"+avx512f", "+avx512dq", "+avx512vl"} <= enabled:
        return "avx512"
    if {"+avx2", "+fma"} <= enabled:
        return "avx2"
    if triple.startswith(("aarch64", "arm64")):
        return "neon"
    return "generic"
