"""Run kernels in a new process, and tell how it came by them: for ``test_warmup.py``.

It runs in a copy of npbert that has no kernels but `KERNELS`, with NPBERT_CACHE_DIR set. Prints a
JSON object: the choice, how many functions Numba compiled, and what the kernels computed.
"""

from __future__ import annotations

import json
import os
import sys

KERNELS = """
from npbert import simd
from npbert.simd.kernel import kernel

@kernel("void(float32[:, ::1], float32[:, ::1])")
def inner_kernel(x, out):
    for row in range(out.shape[0]):
        simd.store(simd.tanh(simd.load(x, row, 0)), out, row, 0)

@kernel("void(float32[:, ::1], float32[:, ::1])")
def outer_kernel(x, out):
    inner_kernel(x, out)
    for row in range(out.shape[0]):
        simd.store(simd.gelu(simd.load(out, row, 0)) + simd.fill(7.0), out, row, 0)
"""


def main() -> None:
    import numpy as np
    from npbert.ops.shipped import inner_kernel, outer_kernel
    from numba.core import compiler

    from npbert.simd import isa

    if "--as-nobody" in sys.argv:
        os.seteuid(65534)
    compiled, compile_extra = [], compiler.compile_extra

    def seen(*arguments, **options):
        compiled.append(1)
        return compile_extra(*arguments, **options)

    compiler.compile_extra = seen
    x = np.linspace(-1, 1, 48, dtype=np.float32).reshape(3, 16)
    answers = []
    for kernel in (outer_kernel, inner_kernel):
        out = np.empty_like(x)
        kernel(x, out)
        answers.append(out.tobytes().hex())
    choice = isa.choice()
    print(
        json.dumps(
            {
                "isa": choice.isa.name,
                "own": choice.target == isa.target(),
                "compiled": len(compiled),
                "answers": answers,
            }
        )
    )


if __name__ == "__main__":
    main()
