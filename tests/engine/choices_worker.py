"""Every way to share out a batch, on the kernels of one instruction set: for ``test_choices.py``.

Prints the instruction set and, once each, the hashes that were found.
"""

from __future__ import annotations

import hashlib
from itertools import product

import goldens
from engine.sharing import plan

from npbert.engine import run
from npbert.engine.packed import PackedWeights
from npbert.simd import isa

CASES = ("odd_width", "deep", "dropout_zero", "hf_deep_erf", "long")
THREADS = (1, 2, 3, 4)
DEALS = (0.0, 0.9, 1e9)  # always dealt out; as measured; always shared
PART_ROWS = (1, 7, 40, 2048)


def main() -> None:
    run._cpus = lambda: max(THREADS)
    models = [
        (plan(case), PackedWeights(goldens.config(case), goldens.weights(case))) for case in CASES
    ]
    found = set()
    for num_threads, run.DEAL, run.PART_ROWS in product(THREADS, DEALS, PART_ROWS):
        digest = hashlib.sha256()
        for batch, weights in models:
            rows = run.run(weights, batch, run.Workspaces(), num_threads)
            digest.update(rows.astype("<f4").tobytes())
        found.add(digest.hexdigest())
    print(isa.current().name, *found)


if __name__ == "__main__":
    main()
