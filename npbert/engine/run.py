"""A plan, cut into parts, shared between threads, put together again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from npbert.engine import threads
from npbert.engine.forward import Forward, Workspace
from npbert.engine.packed import PackedWeights
from npbert.engine.plan import Plan
from npbert.simd import buffers

PART_ROWS = 2048
"""Tokens in one pass at most (more only for one longer sequence): bounds the scratch memory."""


class Workspaces:
    """As many workspaces as passes have ever run at once; each is lent to one of them."""

    def __init__(self) -> None:
        self._free: list[Workspace] = []
        self._lock = threading.Lock()

    def take(self) -> Workspace:
        """A workspace nobody uses."""
        with self._lock:
            return self._free.pop() if self._free else Workspace()

    def give(self, workspace: Workspace) -> None:
        """Hand it back."""
        with self._lock:
            self._free.append(workspace)


def run(
    weights: PackedWeights, plan: Plan, workspaces: Workspaces, num_threads: int
) -> NDArray[np.float32]:
    """(R, padded D): the rows of ``sequence_output``. The bits do not depend on the threads."""
    out = buffers.empty(plan.rows, buffers.padded(weights.config.hidden_dim))
    fair_share = -(-plan.rows // num_threads)
    parts = list(plan.parts(max(1, min(PART_ROWS, fair_share))))

    def tasks(job: threads.Job) -> list[Callable[[], None]]:
        def compute(start: int, stop: int) -> None:
            workspace = workspaces.take()
            part = plan.part(start, stop)
            first = int(plan.row_starts[start])
            hidden = Forward(weights, part, workspace, stopped=lambda: job.stopped).run()
            out[first : first + part.rows] = hidden
            workspaces.give(workspace)

        return [partial(compute, start, stop) for start, stop in parts]

    threads.run(tasks, num_threads)
    return out
