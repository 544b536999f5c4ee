"""Run kernels on memory between guard pages, in a process of its own: ``guarded_run.py MODE ...``.

``cases`` takes the names of precisions, or ``KERNEL-PRECISION``; it runs these kernels on random
cases, and prints a hash of each one's results. The other modes are mistakes made on purpose. What
is about to be called is printed first, so that the last line of a process that died names the
culprit.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import numpy as np
from ops.kernel_cases import CASES, ONE_PRECISION, kernels
from simd.memory import GuardPages

from npbert.simd.precision import FLOAT32, PRECISIONS, Precision

ROUNDS = {FLOAT32: 25}  # and else fewer: the source is the same
_FEWER = 9

MISTAKES = {
    "a": ("gemm_kernel", 1, lambda a: a[1:]),
    "panels": ("gemm_kernel", 3, lambda panels: panels[16:]),
    "bias": ("gemm_kernel", 5, lambda bias: bias[:, 1:]),
    "residual": ("gemm_kernel", 6, lambda residual: residual[1:]),
    "out": ("gemm_kernel", 8, lambda out: out[1:]),
    "before": ("lookup_kernel", 0, lambda ids: ids - 1 - ids.max()),
}
"""Name -> a kernel, which of its arguments, and what is done to it."""


def call(kernel: Any, case: Any, *, after: bool) -> list[bytes]:
    """The bytes of what the kernel wrote."""
    guarded = GuardPages(after=after)
    arguments = [guarded(x) if isinstance(x, np.ndarray) else x for x in case.arguments]
    kernel(*arguments)
    return [arguments[i].tobytes() for i in case.written]


def cases(*names: str) -> None:
    for name in names:
        one, _, of = name.rpartition("-")
        precision = PRECISIONS[of]
        alike = set() if precision == FLOAT32 else ONE_PRECISION
        for kernel in [one] if one else sorted(kernels().keys() - alike):
            print(f"{kernel}-{of}: {digest(kernel, precision)}", flush=True)


def digest(name: str, precision: Precision) -> str:
    """SHA-256 of all results of a kernel."""
    found, kernel = hashlib.sha256(), kernels()[name][precision]
    for seed in range(ROUNDS.get(precision, _FEWER)):
        results = []
        for after in (False, True):
            print(f"{kernel.name}, seed {seed}, guard {'after' if after else 'before'}", flush=True)
            case = CASES[name](np.random.default_rng(seed), precision)
            results.append(call(kernel, case, after=after))
        assert results[0] == results[1], "the bits depend on where the arrays lie"
        for index, value in zip(case.written, results[0], strict=True):
            if index in case.results:
                found.update(value)
    return found.hexdigest()


def plant(mistake: str, precision: Precision) -> None:
    """Right arguments, but for one array that is too short by a row, a column or an element."""
    name, index, cut = MISTAKES[mistake]
    random, kernel = np.random.default_rng(1), kernels()[name][precision]
    case = CASES[name](random, precision)
    while name == "gemm_kernel" and (
        case.arguments[10] != 1 or 0 in {x.shape[0] for x in case.arguments[5:7]}
    ):
        case = CASES[name](random, precision)  # one with bias and residual, in one part
    guarded = GuardPages(after=mistake != "before")
    arguments = [guarded(x) if isinstance(x, np.ndarray) else x for x in case.arguments]
    kernel(*arguments)
    print(mistake, flush=True)
    arguments[index] = cut(arguments[index])
    kernel(*arguments)
    print("nobody noticed", flush=True)


def main(mode: str, *names: str) -> None:
    if mode == "cases":
        cases(*names)
    else:
        plant(mode, PRECISIONS[names[0]] if names else FLOAT32)


if __name__ == "__main__":
    main(*sys.argv[1:])
