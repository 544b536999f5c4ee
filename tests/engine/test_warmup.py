"""Kernels compiled ahead of time: for which targets, and what can go wrong.

What comes of it is in ``test_shipped.py``.
"""

from __future__ import annotations

import os

import pytest

from npbert.dtype_policy import DTypePolicy
from npbert.engine import forward, warmup
from npbert.engine.warmup import Work
from npbert.errors import ConfigError, KernelError
from npbert.simd import isa
from npbert.simd.isa import ISAS, Choice
from npbert.simd.precision import BFLOAT16, FLOAT32, PRECISIONS

pytestmark = pytest.mark.kernel

OWN = isa.target()
posix = pytest.mark.skipif(os.name == "nt", reason="owners and modes are POSIX")


# -- what there is to do ---------------------------------------------------------------------------


def test_every_kernel_that_is_called():
    names = set(warmup.kernels())
    of_a_pass = forward.kernels(FLOAT32)
    assert {f"{k.function.__module__}.{k.name}" for k in of_a_pass} <= names
    assert {"npbert.ops.pooling.l2_normalize_kernel", "npbert.ops.gelu.gelu_kernel"} <= names
    assert all(kernel.signature for kernel in warmup.kernels().values())


def test_kernels_of_a_policy():
    """With those of float32; one that sees whole numbers alone is there once."""
    plain, names = set(warmup.kernels()), set(warmup.kernels(DTypePolicy("mixed_bfloat16")))
    of_a_pass = forward.kernels(BFLOAT16)
    assert {f"{k.function.__module__}.{k.name}" for k in of_a_pass} | plain <= names
    alone = "npbert.simd.barrier.linger_kernel"
    assert names - plain == {f"{name}_bfloat16" for name in plain - {alone}}
    assert names <= set(warmup._variants(PRECISIONS.values()))


def test_this_machine_unless_levels_are_named(monkeypatch):
    monkeypatch.delenv("NPBERT_ISA", raising=False)
    (work,) = warmup.works()
    assert work.choice == Choice(ISAS[isa.of_target(OWN)], OWN)
    assert not work.is_level
    monkeypatch.setenv("NPBERT_ISA", "neon")
    (work,) = warmup.works()
    assert work.choice == Choice(ISAS["neon"], OWN)


def test_garbage_in_the_variable(monkeypatch):
    monkeypatch.setenv("NPBERT_ISA", "sse9")
    with pytest.raises(ConfigError, match="NPBERT_ISA names no instruction set of npbert"):
        warmup.works()


def test_each_level_once(monkeypatch, tmp_path):
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(isa, "target", lambda: ("x86_64-unknown-linux-gnu", "a-cpu", "+sse2"))
    works = warmup.works(["avx2", "avx512", "avx2", "generic"])
    assert [work.choice.isa.name for work in works] == ["avx2", "avx512", "generic"]
    for work in works:
        assert work.is_level
        assert work.missing == list(warmup.kernels())
        assert work.choice.target == isa.levels(isa.target()[0])[work.choice.isa.name]


@pytest.mark.parametrize(
    ("triple", "name", "message"),
    [
        (
            "x86_64-unknown-linux-gnu",
            "neon",
            "kernels for 'neon' cannot be compiled on this machine (x86_64-unknown-linux-gnu).\n"
            "  expected: some of: avx512, avx2, generic\n"
            "  fix:      run `npbert warmup` on a machine of that kind",
        ),
        (
            "aarch64-unknown-linux-gnu",
            "avx2",
            "kernels for 'avx2' cannot be compiled on this machine (aarch64-unknown-linux-gnu).\n"
            "  expected: some of: neon\n"
            "  fix:      run `npbert warmup` on a machine of that kind",
        ),
        (
            "x86_64-unknown-linux-gnu",
            "AVX2",
            "'AVX2' is no instruction set of npbert.\n  expected: some of: avx512, avx2, generic",
        ),
        (
            "riscv64-unknown-linux-gnu",
            "",
            "'' is no instruction set of npbert.\n  expected: none",
        ),
    ],
)
def test_no_such_level(monkeypatch, triple, name, message):
    monkeypatch.setattr(isa, "target", lambda: (triple, "a-cpu", ""))
    with pytest.raises(ConfigError) as caught:
        warmup.works([name])
    assert str(caught.value) == message


# -- children that are not real --------------------------------------------------------------------


def todo(*missing):
    return [Work(Choice(ISAS["avx2"], OWN), False, list(missing))]


SOFTMAX = "npbert.ops.softmax.softmax_kernel"


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(tmp_path / "place"))
    return tmp_path / "place"


def test_a_kernel_that_does_not_compile(place, monkeypatch):
    monkeypatch.setattr(warmup, "_CHILD", "raise TypeError('no {{such}} thing')")
    with pytest.raises(KernelError) as caught:
        warmup.compile_missing(todo(SOFTMAX), lambda done: None)
    assert str(caught.value) == (
        "the kernels for avx2 could not be compiled.\n  received: TypeError: no {such} thing"
    )


def test_a_child_that_is_killed(place, monkeypatch):
    monkeypatch.setattr(warmup, "_CHILD", "import os; os._exit(9)")
    with pytest.raises(KernelError, match="received: exit code 9"):
        warmup.compile_missing(todo(SOFTMAX), lambda done: None)


def test_kernels_that_were_not_kept(place, monkeypatch):
    monkeypatch.setattr(warmup, "_CHILD", "print('done')")
    done = []
    with pytest.raises(ConfigError) as caught:
        warmup.compile_missing(todo(SOFTMAX), done.append)
    assert str(caught.value) == (
        "1 of 1 kernels were compiled and could not be kept.\n"
        f"  where:    {place}\n"
        "  fix:      see whether the disk is full, then run this again"
    )
    assert done == [1]


def test_an_interrupt_ends_the_children(place, monkeypatch):
    monkeypatch.setattr(warmup, "_CHILD", "import time; print('one', flush=True); time.sleep(600)")
    ended, stop = [], warmup._Child.stop

    def seen(child):
        stop(child)
        ended.append(child._process.returncode)

    def interrupt(done):
        raise KeyboardInterrupt

    monkeypatch.setattr(warmup._Child, "stop", seen)
    with pytest.raises(KeyboardInterrupt):
        warmup.compile_missing(todo(SOFTMAX) * 2, interrupt)
    assert len(ended) == 2
    assert None not in ended


def test_nothing_to_do_needs_no_place(monkeypatch):
    monkeypatch.setenv("NPBERT_CACHE_DIR", os.devnull)
    warmup.compile_missing(todo(), lambda done: None)


@posix
@pytest.mark.parametrize("spoil", ["a file", "open to all"])
def test_nowhere_to_keep_them(place, spoil):
    if spoil == "a file":
        place.touch()
    else:
        (place / "kernels").mkdir(parents=True)
        (place / "kernels").chmod(0o777)
    with pytest.raises(ConfigError) as caught:
        warmup.compile_missing(todo(SOFTMAX), lambda done: None)
    said = str(caught.value)
    assert said.startswith(f"compiled kernels cannot be kept there.\n  where:    {place}\n")
    assert "expected: a directory of yours, to which nobody else can write" in said
    assert said.endswith("fix:      name another one: npbert warmup --dir DIR")


@posix
def test_a_directory_that_cannot_be_written(unprivileged, monkeypatch):
    unprivileged.chmod(0o500)
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(unprivileged / "below"))
    with pytest.raises(ConfigError, match=r"received: Permission denied: .*below"):
        warmup.compile_missing(todo(SOFTMAX), lambda done: None)


def test_npbert_in_a_zip(place, monkeypatch):
    monkeypatch.setattr(warmup.SOURCES, "digest", "")
    with pytest.raises(ConfigError, match="install npbert as files rather than in a zip"):
        warmup.compile_missing(todo(SOFTMAX), lambda done: None)
