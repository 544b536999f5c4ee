"""Which instruction set kernels are for, and the register tile that suits it.

The choice decides speed and nothing else: the numerics contract fixes every bit on all of them. It
is made once a process, before weights are packed, for packing and code must have one tile:

1. the machine's own kernels, where they are on disk;
2. else those of the best level on disk that the machine can run. A level is one fixed LLVM target,
   so that kernels can be compiled on one machine and start on another;
3. else the machine's own, compiled when they are first needed.

``NPBERT_ISA`` names the level, and with it the tile, whatever the machine is. Where kernels of that
level are on disk and the machine can run them, they are used; else the machine's own code has tiles
of that shape.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from npbert.errors import ConfigError
from npbert.simd import entries
from npbert.simd.entries import Target


class Isa(NamedTuple):
    """An instruction set, and the shape of its tile of accumulators.

    The tile is ``tile_rows`` x (``tile_vectors`` x 16) values, held in registers through the whole
    inner product. Sixteen lanes are one AVX-512 register, two of AVX2, four of NEON or SSE; twice
    as many in float64, whose tile is one vector wide.
    """

    name: str
    tile_rows: int
    tile_vectors: int
    tile_rows_64: int


ISAS: Final = {
    "avx512": Isa("avx512", 8, 3, 8),  # 24 accumulators of 32 registers
    "avx2": Isa("avx2", 6, 1, 2),  # 12 of 16
    "neon": Isa("neon", 5, 1, 2),  # 20 of 32: with 24, LLVM keeps some in memory
    "generic": Isa("generic", 2, 1, 1),  # 8 of SSE2's 16
}


_SSE = "+cmov,+cx16,+cx8,+fxsr,+mmx,+popcnt,+sahf,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3"
_AVX2 = f"{_SSE},+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+xsave"
_AVX512 = f"{_AVX2},+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl"
_LEVELS: Final = {  # the triple's first part -> level -> LLVM's name and features; best first
    "x86_64": {
        "avx512": ("x86-64-v4", _AVX512),
        "avx2": ("x86-64-v3", _AVX2),
        "generic": ("x86-64", ""),
    },
    "aarch64": {"neon": ("generic", "")},
    "arm64": {"neon": ("generic", "")},
}


class Choice(NamedTuple):
    """Which kernels a process runs."""

    isa: Isa
    target: Target
    """What the code that is looked for first was compiled for."""


_made: dict[str, Choice] = {}


def current() -> Isa:
    """The instruction set of this process's kernels.

    Raises:
        ConfigError: ``NPBERT_ISA`` names none of ours.
    """
    return choice().isa


def choice() -> Choice:
    """Which kernels this process runs. Decided at the first call.

    Raises:
        ConfigError: ``NPBERT_ISA`` names none of ours.
    """
    if "choice" not in _made:
        settle(_choose())
    return _made["choice"]


def settle(decided: Choice) -> None:
    """Decide for this process, unless that is done."""
    _made.setdefault("choice", decided)


def forced_level() -> str | None:
    """What ``NPBERT_ISA`` names; None where it is unset.

    Raises:
        ConfigError: it names none of ours.
    """
    forced = os.environ.get("NPBERT_ISA")
    if forced is not None and forced not in ISAS:
        raise ConfigError(
            "the environment variable NPBERT_ISA names no instruction set of npbert.",
            received=repr(forced),
            expected=", ".join(ISAS),
            fix="unset it to use what this machine has",
        )
    return forced


def _choose() -> Choice:
    forced, own = forced_level(), target()
    native = of_target(own)
    if forced in (None, native) and entries.present(native, own):
        return Choice(ISAS[native], own)
    for name, made_for in levels(own[0]).items():
        runs = _features(made_for) <= _features(own)
        if forced in (None, name) and runs and entries.present(name, made_for):
            return Choice(ISAS[name], made_for)
    return Choice(ISAS[forced or native], own)


def levels(triple: str) -> dict[str, Target]:
    """The targets that kernels can be compiled for on a machine of this triple, best first."""
    known = _LEVELS.get(triple.partition("-")[0], {})
    return {name: (triple, *made_for) for name, made_for in known.items()}


def target() -> Target:
    """Numba's target for this process."""
    import llvmlite.binding as llvm
    from numba import config

    cpu = config.CPU_NAME or llvm.get_host_cpu_name()
    features = config.CPU_FEATURES
    if features is None:
        features = _host_features(avx=config.ENABLE_AVX)
    return llvm.get_process_triple(), cpu, features


def _host_features(*, avx: bool) -> str:
    """As Numba finds them, which has a switch for AVX; "" where LLVM cannot tell."""
    import llvmlite.binding as llvm

    try:
        found = llvm.get_host_cpu_features()
    except RuntimeError:
        return ""
    if not avx:
        found.update((each, False) for each in found if each.startswith("avx"))
    return found.flatten()


def of_target(made_for: Target) -> str:
    """The name of the tile that suits a target."""
    enabled = _features(made_for)
    if {"+avx512f", "+avx512dq", "+avx512vl"} <= enabled:
        return "avx512"
    if {"+avx2", "+fma"} <= enabled:
        return "avx2"
    if made_for[0].startswith(("aarch64", "arm64")):
        return "neon"
    return "generic"


def _features(made_for: Target) -> set[str]:
    """What is switched on."""
    return {each for each in made_for[2].split(",") if each.startswith("+")}
