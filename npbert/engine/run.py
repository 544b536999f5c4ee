"""A model that runs: plans are cut into parts, shared between threads, and put together again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.engine import forward, threads
from npbert.engine.forward import Forward, Workspace
from npbert.engine.inputs import Inputs
from npbert.engine.packed import PackedWeights
from npbert.engine.plan import Plan, plan_batch, plan_sequences
from npbert.engine.trace import trace
from npbert.simd import buffers

F32 = NDArray[np.float32]

PART_ROWS = 2048
"""Tokens in one pass at most (more only for one longer sequence): bounds the scratch memory."""


class Workspaces:
    """As many workspaces as passes have ever run at once; each is lent to one of them.

    A list's ``pop`` and ``append`` are atomic: no lock that a fork could leave closed.
    """

    def __init__(self) -> None:
        self._free: list[Workspace] = []

    def take(self) -> Workspace:
        """A workspace nobody uses."""
        try:
            return self._free.pop()
        except IndexError:
            return Workspace()

    def give(self, workspace: Workspace) -> None:
        """Hand it back."""
        self._free.append(workspace)


def run(weights: PackedWeights, plan: Plan, workspaces: Workspaces, num_threads: int) -> F32:
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


class Engine:
    """One model's weights, and what runs them on checked inputs."""

    def __init__(self, config: BertConfig, weights: dict[str, F32], num_threads: int) -> None:
        self.config, self.num_threads = config, num_threads
        self.weights = PackedWeights(config, weights)
        self._workspaces = Workspaces()

    def __reduce__(self) -> tuple[object, ...]:
        """Copies and pickles carry plain tensors: packed ones must lie on cache lines."""
        return Engine, (self.config, dict(self.weights.unpack()), self.num_threads)

    def prepare(self) -> None:
        """Compile or load the kernels."""
        forward.prepare(forward.kernels(self.config.activation))

    def empty_outputs(self, B: int, T: int) -> dict[str, F32]:
        """Zeros for the outputs of a batch; ``pooled_output`` only where there is a pooler."""
        D = self.config.hidden_dim
        outputs = {"sequence_output": np.zeros((B, T, D), np.float32)}
        if self.weights.pooler is not None:
            outputs["pooled_output"] = np.zeros((B, D), np.float32)
        return outputs

    def fill(self, outputs: dict[str, F32], inputs: Inputs, *, skip_padding: bool) -> None:
        """Run a batch of at least one sequence into ``outputs``."""
        D, plan = self.config.hidden_dim, self._plan(inputs, skip_padding=skip_padding)
        rows = self._run(plan)
        sequence = outputs["sequence_output"]
        sequence[plan.sequences, plan.positions] = rows[:, :D]
        if self.weights.pooler is not None:
            # Column 0 of every sequence is a row, and the first of its rows.
            first = buffers.empty(plan.batch, rows.shape[1])
            first[:] = rows[plan.row_starts[:-1]]
            outputs["pooled_output"][:] = forward.pool(self.weights, first)[:, :D]
        if skip_padding:  # column 0 was computed for the pooler alone
            dropped = ~inputs.kept[:, 0] & inputs.kept.any(axis=1)
            sequence[dropped, 0] = 0

    def rows(self, sequences: list[NDArray[np.int32]]) -> tuple[F32, NDArray[np.int64]]:
        """Run sequences without padding: (R, padded D) rows, and (B + 1,) where each begins."""
        plan = plan_sequences(sequences)
        if not sequences:
            return buffers.empty(0, buffers.padded(self.config.hidden_dim)), plan.row_starts
        return self._run(plan), plan.row_starts

    def stages(self, inputs: Inputs) -> dict[str, F32]:
        """Every stage of a batch, by name."""
        self.prepare()
        plan = self._plan(inputs, skip_padding=False)
        return trace(self.weights, plan, inputs.token_ids.shape[1])

    def _run(self, plan: Plan) -> F32:
        self.prepare()
        return run(self.weights, plan, self._workspaces, self.num_threads)

    def _plan(self, inputs: Inputs, *, skip_padding: bool) -> Plan:
        return plan_batch(*inputs, skip_padding=skip_padding, fused=self.config.dropout == 0)
