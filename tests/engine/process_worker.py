"""One model in several processes: run by ``test_processes.py``, forked or started anew.

    python process_worker.py fork | spawn

Prints what each process computed, as hashes.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
import warnings

import goldens

from npbert.backbone import BertBackbone

CASE, PROCESSES, CALLS = "deep", 3, 5


def hashes(model: BertBackbone) -> list[str]:
    """Of some calls, which deal out or share the work as they would anywhere."""
    batch = goldens.inputs(CASE)
    one = {name: array[:1] for name, array in batch.items()}
    model(one)
    return [goldens.sha256(model(batch)) for _ in range(CALLS)]


def main() -> None:
    """Other threads of the parent call the model while children are made."""
    warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads: it is the point
    model, stop = goldens.backbone(CASE, 2), threading.Event()
    print(*hashes(model), sep="\n")

    def call() -> None:
        while not stop.is_set():
            model(goldens.inputs(CASE))

    callers = [threading.Thread(target=call, daemon=True) for _ in range(3)]
    for each in callers:
        each.start()
    with multiprocessing.get_context(sys.argv[1]).Pool(PROCESSES) as pool:
        for made in pool.map(hashes, [model] * 2 * PROCESSES, chunksize=1):
            print(*made, sep="\n")
    stop.set()
    for each in callers:
        each.join(30)
    print(*hashes(model), sep="\n")


if __name__ == "__main__":
    main()
