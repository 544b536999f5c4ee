"""What one instruction set makes of the goldens: run by ``test_isa.py`` in a process of its own.

Prints a JSON object: Numba's target, one hash for each number of threads and batch size, and what
the assembly of the matrix product is made of.

    python isa_worker.py PRECISION

Only checks the kernels of another precision against their own hashes.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys

import goldens
import numpy as np

from npbert.engine import forward, self_check
from npbert.simd import cache, gemm, isa
from npbert.simd.kernel import Kernel
from npbert.simd.precision import PRECISIONS

CASES = ("odd_width", "wide_dropout_zero", "hf_deep_erf", "long")
THREADS, BATCHES = (1, 2), (1, 32)
MARKS = {
    "zmm": r"%zmm\d",
    "ymm": r"%ymm\d",
    "vfmadd": r"\bvfmadd",
    "fmaf": r"\bfmaf\b",
}


def batches(case: str, size: int) -> list[dict[str, np.ndarray]]:
    """The case's rows in batches of this size; past its rows, they begin again."""
    inputs = goldens.inputs(case)
    rows = np.arange(len(inputs["token_ids"]))
    if size > 1:
        rows = np.resize(rows, size)
    return [
        {name: array[rows[start : start + size]] for name, array in inputs.items()}
        for start in range(0, len(rows), size)
    ]


def run(case: str, threads: int, size: int) -> dict[str, np.ndarray]:
    """The case's outputs, one row for each of its rows; repeated rows must have the same bits."""
    model = goldens.backbone(case, threads)
    made = [model(batch) for batch in batches(case, size)]
    joined = {name: np.concatenate([each[name] for each in made]) for name in goldens.OUTPUTS}
    count = len(goldens.inputs(case)["token_ids"])
    first = {name: array[:count] for name, array in joined.items()}
    for start in range(count, len(joined["pooled_output"]), count):
        for name, array in joined.items():
            again = array[start : start + count]
            np.testing.assert_array_equal(
                goldens.bits(again), goldens.bits(first[name][: len(again)])
            )
    return first


def hash_of(threads: int, size: int) -> str:
    """One SHA-256 of all cases."""
    each = [goldens.sha256(run(case, threads, size)) for case in CASES]
    return hashlib.sha256("".join(each).encode()).hexdigest()


def assembly() -> str:
    """The matrix product's, compiled here and now: code from the cache cannot be inspected."""
    keep, cache.attach = cache.attach, lambda *_: None
    try:
        fresh = Kernel(gemm.gemm_kernel.function, gemm.gemm_kernel.signature)
        fresh.prepare()
    finally:
        cache.attach = keep
    return "\n".join(fresh.dispatcher.inspect_asm().values())


def check(name: str) -> dict[str, str]:
    """Raises where a stage has another hash."""
    precision = PRECISIONS[name]
    forward.prepare(forward.kernels(precision))
    self_check.check(precision, 1)
    return {"isa": isa.current().name, "passed": name}


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(check(sys.argv[1])))
        return
    code = assembly()
    report = {
        "target": isa.target(),
        "isa": isa.current().name,
        "hashes": {f"{t} threads, batches of {b}": hash_of(t, b) for t in THREADS for b in BATCHES},
        "marks": {name: len(re.findall(pattern, code)) for name, pattern in MARKS.items()},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
