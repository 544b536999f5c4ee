"""Run kernels on memory between guard pages, in a process of its own: ``guarded_run.py MODE``.

``cases`` runs every kernel on random cases, and prints a hash of all results; the other modes are
mistakes made on purpose. What is about to be called is printed first, so that the last line of a
process that died names the culprit.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import numpy as np
from ops.kernel_cases import CASES, kernels
from simd.memory import GuardPages

ROUNDS = 25

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


def cases() -> None:
    digest = hashlib.sha256()
    for name, kernel in kernels().items():
        for seed in range(ROUNDS):
            results = []
            for after in (False, True):
                print(f"{name}, seed {seed}, guard {'after' if after else 'before'}", flush=True)
                case = CASES[name](np.random.default_rng(seed))
                results.append(call(kernel, case, after=after))
            assert results[0] == results[1], "the bits depend on where the arrays lie"
            for index, value in zip(case.written, results[0], strict=True):
                if index in case.results:
                    digest.update(value)
    print(digest.hexdigest())


def plant(mistake: str) -> None:
    """Right arguments, but for one array that is too short by a row, a column or an element."""
    name, index, cut = MISTAKES[mistake]
    random = np.random.default_rng(1)
    case = CASES[name](random)
    while name == "gemm_kernel" and (
        case.arguments[10] != 1 or 0 in {x.shape[0] for x in case.arguments[5:7]}
    ):
        case = CASES[name](random)  # one with bias and residual, in one part
    guarded = GuardPages(after=mistake != "before")
    arguments = [guarded(x) if isinstance(x, np.ndarray) else x for x in case.arguments]
    kernels()[name](*arguments)
    print(mistake, flush=True)
    arguments[index] = cut(arguments[index])
    kernels()[name](*arguments)
    print("nobody noticed", flush=True)


if __name__ == "__main__":
    cases() if sys.argv[1] == "cases" else plant(sys.argv[1])
