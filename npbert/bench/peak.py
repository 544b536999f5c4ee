"""The yardstick: how fast this CPU can multiply and add when nothing else is in the way.

Chains of fused multiply-adds in registers, as many side by side as the multipliers need to stay
busy (latency 4 or 5, two a cycle: 8 to 10 registers), no memory at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from npbert import simd
from npbert.errors import KernelError
from npbert.simd import buffers, isa
from npbert.simd.buffers import LANES
from npbert.simd.kernel import Kernel, kernel

STEPS: Final = 400_000
"""Of a loop: some 20 ms."""


@kernel("void(int64, float32[:, ::1])")
def six_chains_kernel(steps, x):  # type: ignore[no-untyped-def]
    """Six chains: twelve registers of AVX2, which has sixteen.  ``x`` (8, 16): starts, factors."""
    a, b = simd.load(x, 6, 0), simd.load(x, 7, 0)
    c0, c1, c2 = simd.load(x, 0, 0), simd.load(x, 1, 0), simd.load(x, 2, 0)
    c3, c4, c5 = simd.load(x, 3, 0), simd.load(x, 4, 0), simd.load(x, 5, 0)
    for _ in range(steps):
        c0, c1, c2 = simd.fma(c0, a, b), simd.fma(c1, a, b), simd.fma(c2, a, b)
        c3, c4, c5 = simd.fma(c3, a, b), simd.fma(c4, a, b), simd.fma(c5, a, b)
    simd.store(c0 + c1 + c2 + c3 + c4 + c5, x, 0, 0)


@kernel("void(int64, float32[:, ::1])")
def twelve_chains_kernel(steps, x):  # type: ignore[no-untyped-def]
    """Twelve chains: as many registers of AVX-512.  ``x`` (14, 16): starts, factors."""
    a, b = simd.load(x, 12, 0), simd.load(x, 13, 0)
    c0, c1, c2 = simd.load(x, 0, 0), simd.load(x, 1, 0), simd.load(x, 2, 0)
    c3, c4, c5 = simd.load(x, 3, 0), simd.load(x, 4, 0), simd.load(x, 5, 0)
    c6, c7, c8 = simd.load(x, 6, 0), simd.load(x, 7, 0), simd.load(x, 8, 0)
    c9, c10, c11 = simd.load(x, 9, 0), simd.load(x, 10, 0), simd.load(x, 11, 0)
    for _ in range(steps):
        c0, c1, c2 = simd.fma(c0, a, b), simd.fma(c1, a, b), simd.fma(c2, a, b)
        c3, c4, c5 = simd.fma(c3, a, b), simd.fma(c4, a, b), simd.fma(c5, a, b)
        c6, c7, c8 = simd.fma(c6, a, b), simd.fma(c7, a, b), simd.fma(c8, a, b)
        c9, c10, c11 = simd.fma(c9, a, b), simd.fma(c10, a, b), simd.fma(c11, a, b)
    first, second = c0 + c1 + c2 + c3 + c4 + c5, c6 + c7 + c8 + c9 + c10 + c11
    simd.store(first + second, x, 0, 0)


def chains() -> tuple[Kernel, int]:
    """The loop that fills this instruction set's registers without overflowing them.

    Raises:
        KernelError: the target has no fused multiply-add, so there is no peak of them.
    """
    if isa.current().name == "generic":
        raise KernelError("the target has no fused multiply-add, so there is no peak to measure.")
    return (twelve_chains_kernel, 12) if isa.current().name == "avx512" else (six_chains_kernel, 6)


def measure(threads: int, steps: int = STEPS) -> float:
    """Operations a second of ``threads`` independent loops that begin at one moment."""
    loop, count = chains()
    loop.prepare()
    begin = threading.Barrier(threads)
    ended: list[float] = []
    began: list[float] = []

    def run() -> None:
        x = buffers.empty(count + 2, LANES)
        x[:count] = np.arange(1, count + 1)[:, None]
        x[count], x[count + 1] = 0.999, 0.001
        begin.wait()
        began.append(time.perf_counter())
        loop(steps, x)
        ended.append(time.perf_counter())

    _on_threads(run, threads)
    return threads * 2.0 * LANES * count * steps / (max(ended) - min(began))


def _on_threads(run: Callable[[], None], count: int) -> None:
    others = [threading.Thread(target=run) for _ in range(count - 1)]
    for thread in others:
        thread.start()
    run()
    for thread in others:
        thread.join()
