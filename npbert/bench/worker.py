"""The process of one engine: commands in, answers out, one JSON object a line.

``python -m npbert.bench.worker ENGINE``. Standard output carries the answers alone: whatever the
libraries print goes to standard error, which the parent keeps in a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from npbert.bench import works
from npbert.bench.engines import ENGINES
from npbert.bench.engines.base import Engine, Setup

Command = dict[str, Any]


class Worker:
    """Answers commands: each public method is one."""

    def __init__(self, engine: str) -> None:
        self._engine: Engine | None = ENGINES[engine].make() if engine in ENGINES else None
        self._setup: Setup | None = None
        self._jobs: dict[str, Callable[[], list[Any]]] = {}
        self._batches: dict[str, list[works.Batch]] = {}

    @property
    def _loaded(self) -> Engine:
        assert self._engine is not None
        return self._engine

    def load(self, model: str, threads: int, activation: str | None, scratch: str) -> Command:
        """Load the model."""
        self._setup = Setup(Path(model), threads, activation, Path(scratch))
        self._loaded.load(self._setup)
        return {"settings": self._loaded.settings()}

    def texts(self, job: str, path: str, batch_size: int, part: int, parts: int) -> Command:
        """Make a job of every ``parts``-th text of a file."""
        assert self._setup is not None
        self._loaded.load_texts(self._setup)
        listed = json.loads(Path(path).read_text(encoding="utf-8"))[part::parts]
        self._jobs[job] = lambda: [self._loaded.encode(listed, batch_size)]
        return {}

    def batches(self, job: str, path: str) -> Command:
        """Make a job of the batches in a file."""
        self._batches[job] = works.load(Path(path))
        feeds = self._loaded.prepare(self._batches[job])
        self._jobs[job] = partial(self._loaded.run, feeds)
        return {}

    def check(self, job: str, path: str) -> Command:
        """Run a job, and leave its outputs in a file; compiles whatever compiles at first use."""
        start = time.perf_counter()
        outputs = self._jobs[job]()
        seconds = time.perf_counter() - start
        np.savez(path, **{str(i): output for i, output in enumerate(outputs)})
        return {"seconds": seconds}

    def time(self, job: str, warm: str | None, calls: int) -> Command:
        """Seconds of each of some calls, after one of the job ``warm`` that does not count."""
        if warm is not None:
            self._jobs[warm]()
        run, seconds = self._jobs[job], list[float]()
        for _ in range(calls):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        return {"seconds": seconds}

    def bits(self, job: str) -> Command:
        """One hash for each text of a job: of the vectors of its tokens."""
        found: dict[str, str] = {}
        for batch, output in zip(self._batches[job], self._jobs[job](), strict=True):
            for row, text in enumerate(batch.texts):
                kept = np.ascontiguousarray(output[row, : int(batch.mask[row].sum())])
                found[str(text)] = hashlib.sha256(kept.tobytes()).hexdigest()
        return {"hashes": found}

    def latency(self, job: str, callers: int, calls: int) -> Command:
        """Seconds of each call of so many threads that call at once, and of all together."""
        run, begin = self._jobs[job], threading.Barrier(callers)

        def call() -> list[float]:
            try:
                run()  # what a thread does at first, such as making a request, does not count
            except Exception:
                begin.abort()
                raise
            begin.wait()
            return list(self.time(job, None, calls)["seconds"])

        with ThreadPoolExecutor(callers) as pool:
            each = [pool.submit(call) for _ in range(callers)]
            errors = [error for found in each if (error := found.exception())]
            for error in sorted(errors, key=lambda e: isinstance(e, threading.BrokenBarrierError)):
                raise error
            return {"seconds": [seconds for found in each for seconds in found.result()]}

    def peak(self, threads: int) -> Command:
        """Operations a second of independent FMA loops on so many threads."""
        from npbert.bench import peak

        return {"flops": peak.measure(threads)}

    def kernels(self, **shape: Any) -> Command:
        """npbert's ops alone, and as a forward pass; see `npbert.bench.kernels`."""
        from npbert.bench import kernels

        each = {"ops": kernels.measure(**shape), "profile": kernels.profile(**shape)}
        return {name: [row._asdict() for row in rows] for name, rows in each.items()}


def serve(worker: Worker, commands: TextIO, answers: TextIO) -> None:
    """Answer commands until there are no more; an error is an answer too."""
    for line in commands:
        command = json.loads(line)
        try:
            answer = getattr(worker, command.pop("do"))(**command)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def main(engine: str) -> None:
    """Keep standard output for answers, then serve."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        worker = Worker(engine)
    except Exception as error:
        traceback.print_exc()
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers, flush=True)
        return
    print(json.dumps({}), file=answers, flush=True)
    serve(worker, sys.stdin, answers)


if __name__ == "__main__":
    main(sys.argv[1])
