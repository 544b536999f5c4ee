from __future__ import annotations

import pytest

from npbert.errors import ConfigError
from npbert.simd import isa
from npbert.simd.isa import ISAS

X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
AVX2 = "+sse2,+avx,+avx2,+fma"
AVX512 = f"{AVX2},+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl"


def detected(monkeypatch, triple, features):
    monkeypatch.delenv("NPBERT_ISA", raising=False)
    monkeypatch.setattr(isa, "target", lambda: (triple, "a-cpu", features))
    return isa.current.__wrapped__().name


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
    assert isa.current.__wrapped__() == ISAS[name]


@pytest.mark.parametrize("garbage", ["", "AVX2", "sse9", " avx2", "avx512 "])
def test_garbage(monkeypatch, garbage):
    monkeypatch.setenv("NPBERT_ISA", garbage)
    with pytest.raises(ConfigError) as caught:
        isa.current.__wrapped__()
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
    _, rows, vectors = ISAS[name]
    assert (rows * vectors + vectors) * per_vector + 1 <= registers


@pytest.mark.kernel
def test_this_machine():
    triple, cpu, features = isa.target()
    assert triple
    assert cpu
    assert isinstance(features, str)
    assert isa.current() in ISAS.values()
