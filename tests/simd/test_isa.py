from __future__ import annotations

import pytest

from npbert.errors import ConfigError
from npbert.simd import entries, isa
from npbert.simd.isa import ISAS, Choice

X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
AVX2 = "+sse2,+avx,+avx2,+fma"
AVX512 = f"{AVX2},+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl"
V3, V4 = (isa.levels(X86)[name][2] for name in ("avx2", "avx512"))


@pytest.fixture(autouse=True)
def undecided(monkeypatch):
    """As in a new process, with nothing on disk."""
    monkeypatch.setattr(isa, "_made", {})
    monkeypatch.delenv("NPBERT_ISA", raising=False)
    monkeypatch.setattr(entries, "present", lambda *_: False)


def detected(monkeypatch, triple, features):
    monkeypatch.setattr(isa, "target", lambda: (triple, "a-cpu", features))
    return isa.current().name


@pytest.mark.parametrize(
    ("triple", "features", "expected"),
    [
        (X86, AVX512, "avx512"),
        (X86, AVX2, "avx2"),
        (X86, AVX512.replace("+avx512vl", "-avx512vl"), "avx2"),
        (X86, AVX512.replace("+avx512dq", "-avx512dq"), "avx2"),
        (X86, AVX2.replace("+fma", "-fma"), "generic"),
        (X86, "+sse2,+avx,-avx2,-fma", "generic"),
        (X86, "+sse2", "generic"),
        (X86, "", "generic"),
        ("i686-pc-windows-msvc", "+sse2", "generic"),
        (ARM, "+neon,+fp-armv8", "neon"),
        (ARM, "", "neon"),
        ("arm64-apple-darwin23", "+neon", "neon"),
        ("riscv64-unknown-linux-gnu", "+v", "generic"),
    ],
)
def test_detection(monkeypatch, triple, features, expected):
    assert detected(monkeypatch, triple, features) == expected


@pytest.mark.parametrize("name", ISAS)
def test_override(monkeypatch, name):
    monkeypatch.setenv("NPBERT_ISA", name)
    assert isa.current() == ISAS[name]


@pytest.mark.parametrize("garbage", ["", "AVX2", "sse9", " avx2", "avx512 "])
def test_garbage(monkeypatch, garbage):
    monkeypatch.setenv("NPBERT_ISA", garbage)
    with pytest.raises(ConfigError) as caught:
        isa.current()
    assert str(caught.value) == (
        "the environment variable NPBERT_ISA names no instruction set of npbert.\n"
        f"  received: {garbage!r}\n"
        "  expected: avx512, avx2, neon, generic\n"
        "  fix:      unset it to use what this machine has"
    )


@pytest.mark.parametrize(
    ("name", "registers", "per_vector"),
    [("avx512", 32, 1), ("avx2", 16, 2), ("neon", 32, 4), ("generic", 16, 4)],
)
def test_the_tile_fits_the_registers(name, registers, per_vector):
    """The accumulators, one row of ``b``, and one broadcast value of ``a``."""
    isa = ISAS[name]
    rows, vectors = isa.tile_rows, isa.tile_vectors
    assert (rows * vectors + vectors) * per_vector + 1 <= registers
    # Doubles take twice as many; there it may be one of ``b``, and the values of ``a``.
    beside = min(2 * per_vector + 1, 1 + isa.tile_rows_64)
    assert isa.tile_rows_64 * 2 * per_vector + beside <= registers


# -- the choice between what is on disk ------------------------------------------------------------

CPUS = {  # the machine -> its target
    "avx512": (X86, "znver4", f"{V4},+avx512vnni,-avx512fp16"),
    "avx2": (X86, "haswell", f"{V3},-avx512f"),
    "generic": (X86, "nehalem", "+sse2,-avx"),
    "neon": (ARM, "neoverse-n1", "+neon,+lse"),
}
OWN = "the machine's own"


def chosen(monkeypatch, cpu, on_disk, forced=None):
    """What a machine chooses when these are on disk: the tile, and whose code it is."""
    own = CPUS[cpu]
    there = {(name, own if whose == OWN else isa.levels(own[0])[name]) for name, whose in on_disk}
    monkeypatch.setattr(isa, "_made", {})
    monkeypatch.setattr(isa, "target", lambda: own)
    monkeypatch.setattr(entries, "present", lambda *asked: asked in there)
    if forced is not None:
        monkeypatch.setenv("NPBERT_ISA", forced)
    choice = isa.choice()
    assert choice.isa == ISAS[choice.isa.name]
    assert isa.choice() is choice
    if choice.target == own:
        return choice.isa.name, OWN
    assert choice.target == isa.levels(own[0])[choice.isa.name]
    return choice.isa.name, "level"


def levels_of(*names):
    return [(name, "level") for name in names]


ALL = levels_of("avx512", "avx2", "generic")


@pytest.mark.parametrize(
    ("cpu", "on_disk", "expected"),
    [
        ("avx512", [], ("avx512", OWN)),
        ("avx512", [*ALL, ("avx512", OWN)], ("avx512", OWN)),
        ("avx512", ALL, ("avx512", "level")),
        ("avx512", levels_of("generic", "avx2"), ("avx2", "level")),
        ("avx512", levels_of("generic"), ("generic", "level")),
        ("avx512", [("avx2", OWN)], ("avx512", OWN)),  # from a run with NPBERT_ISA
        ("avx2", [], ("avx2", OWN)),
        ("avx2", [*ALL, ("avx2", OWN)], ("avx2", OWN)),
        ("avx2", ALL, ("avx2", "level")),
        ("avx2", levels_of("avx512"), ("avx2", OWN)),
        ("generic", levels_of("avx512", "avx2"), ("generic", OWN)),
        ("generic", ALL, ("generic", "level")),
        ("neon", [], ("neon", OWN)),
        ("neon", levels_of("neon"), ("neon", "level")),
    ],
)
def test_the_best_that_is_on_disk(monkeypatch, cpu, on_disk, expected):
    assert chosen(monkeypatch, cpu, on_disk) == expected


@pytest.mark.parametrize(
    ("cpu", "on_disk", "forced", "expected"),
    [
        ("avx512", [*ALL, ("avx512", OWN)], "avx2", ("avx2", "level")),
        ("avx512", [*ALL, ("avx512", OWN)], "avx512", ("avx512", OWN)),
        ("avx512", [*ALL, ("avx512", OWN)], "generic", ("generic", "level")),
        ("avx512", [("avx512", OWN)], "avx2", ("avx2", OWN)),
        ("avx512", [*ALL, ("avx2", OWN)], "avx2", ("avx2", "level")),
        ("avx512", ALL, "neon", ("neon", OWN)),  # tiles of that shape, and no more
        ("avx2", ALL, "avx512", ("avx512", OWN)),  # not code that this machine cannot run
        ("neon", levels_of("neon"), "avx2", ("avx2", OWN)),
    ],
)
def test_the_variable_forces_a_level(monkeypatch, cpu, on_disk, forced, expected):
    assert chosen(monkeypatch, cpu, on_disk, forced) == expected


@pytest.mark.parametrize("missing", V3.split(","))
def test_a_level_needs_all_its_features(monkeypatch, missing):
    own = (X86, "a-cpu", ",".join(each for each in V4.split(",") if each != missing))
    monkeypatch.setitem(CPUS, "odd", own)
    assert chosen(monkeypatch, "odd", ALL) == ("generic", "level")


def test_levels_are_those_of_one_architecture():
    assert list(isa.levels(X86)) == ["avx512", "avx2", "generic"]
    assert list(isa.levels(ARM)) == list(isa.levels("arm64-apple-darwin23")) == ["neon"]
    assert isa.levels("riscv64-unknown-linux-gnu") == {}
    for triple in (X86, ARM):
        for name, target in isa.levels(triple).items():
            assert target[0] == triple
            assert isa.of_target(target) == name


def test_the_first_decision_stays():
    first = Choice(ISAS["neon"], (ARM, "a-cpu", ""))
    isa.settle(first)
    isa.settle(Choice(ISAS["avx2"], (X86, "a-cpu", "")))
    assert isa.choice() is first
    assert isa.current() is ISAS["neon"]


@pytest.mark.kernel
def test_the_target_is_numbas():
    from numba.core.registry import cpu_target

    assert isa.target() == cpu_target.target_context.codegen().magic_tuple()


@pytest.mark.kernel
def test_without_avx(monkeypatch):
    """Numba's switch for processors on which it does not pay."""
    from numba import config

    monkeypatch.setattr(config, "ENABLE_AVX", 0)
    monkeypatch.setattr(config, "CPU_FEATURES", None)
    assert "+avx" not in isa.target()[2]


@pytest.mark.kernel
def test_a_host_that_llvm_does_not_know(monkeypatch):
    import llvmlite.binding
    from numba import config

    def fail():
        raise RuntimeError("failed to get host cpu features")

    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", fail)
    monkeypatch.setattr(config, "CPU_FEATURES", None)
    assert isa.target()[2] == ""


@pytest.mark.kernel
def test_this_machine():
    triple, cpu, features = isa.target()
    assert triple
    assert cpu
    assert isinstance(features, str)
    assert isa.current() in ISAS.values()
