"""A model that runs: plans are cut into parts, shared between threads, and put together again."""

from __future__ import annotations

from collections.abc import Container
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from npbert.config import BertConfig
from npbert.dtype_policy import FLOAT32, DTypePolicy, numpy_dtype
from npbert.engine import forward, self_check, threads, turns
from npbert.engine.forward import Forward, Workspace
from npbert.engine.inputs import Inputs
from npbert.engine.packed import PackedWeights, return_free_memory
from npbert.engine.plan import Plan, plan_batch, plan_sequences
from npbert.engine.trace import Hooks, trace
from npbert.simd import barrier, buffers
from npbert.simd.precision import PRECISIONS

Array = NDArray[Any]

DEAL = 0.9
"""Sequences are dealt out when that keeps the threads this busy; else they share each layer."""

FEW_ROWS = 24
"""With fewer tokens for each thread than these, reading the weights takes longer than computing:
threads that share a layer read them once, threads with sequences of their own once each. Measured
on BERT-base: 1.2 times as fast with 16 tokens each, the same from 32 on."""

PART_ROWS = 1024
"""Tokens in one pass at most (more only for one longer sequence): bounds the scratch memory."""


class Workspaces:
    """As many workspaces as passes have ever run at once; each is lent to one of them.

    A list's ``pop`` and ``append`` are atomic: no lock that a fork could leave closed.

    Args:
        dtype: of the numbers in them.
    """

    def __init__(self, dtype: DTypeLike = np.float32) -> None:
        self._dtype = dtype
        self._free: list[Workspace] = []

    def take(self) -> Workspace:
        """A workspace nobody uses."""
        try:
            return self._free.pop()
        except IndexError:
            return Workspace(self._dtype)

    def give(self, workspace: Workspace) -> None:
        """Hand it back."""
        self._free.append(workspace)


def run(weights: PackedWeights, plan: Plan, workspaces: Workspaces, num_threads: int) -> Array:
    """(R, padded D): the rows of ``sequence_output``. The bits do not depend on the threads.

    Sequences are dealt out to threads, which then need not wait for each other. Where they are too
    few or too unequal for that, the threads share every op of every layer.
    """
    D = weights.config.hidden_dim
    out = np.empty((plan.rows, buffers.padded(D)), weights.precision.real)
    fair_share = -(-plan.rows // num_threads)
    dealt, longest = _cut(plan, fair_share, num_threads)
    few = FEW_ROWS if num_threads > 1 else 0
    if fair_share < DEAL * max(longest, few):
        # Threads that wait for each other must all be running: no more than there are CPUs.
        together = min(num_threads, _cpus())
        for start, stop in plan.parts(PART_ROWS):
            if not _share(weights, plan, (start, stop), workspaces, together, out):
                _deal(weights, plan, [(start, stop)], workspaces, 1, out)
    else:
        _deal(weights, plan, dealt, workspaces, num_threads, out)
    return out


def _cut(plan: Plan, fair_share: int, num_threads: int) -> tuple[list[tuple[int, int]], int]:
    """Parts that keep the threads most evenly busy, and the rows of the one that gets most."""
    if plan.batch == 1:
        return [(0, 1)], plan.rows
    cuts = [list(plan.parts(min(PART_ROWS, -(-fair_share // n)))) for n in (1, 2, 4)]
    turns = [_longest_turn(plan, parts, num_threads) for parts in cuts]
    best = turns.index(min(turns))
    return cuts[best], turns[best]


@cache
def _cpus() -> int:
    return threads.available()[0]


def _longest_turn(plan: Plan, parts: list[tuple[int, int]], num_threads: int) -> int:
    """Rows of the thread that gets most, when whoever is free takes the next part."""
    loads = [0] * num_threads
    for start, stop in parts:
        loads.sort()
        loads[0] += int(plan.row_starts[stop] - plan.row_starts[start])
    return max(loads)


def _deal(
    weights: PackedWeights,
    plan: Plan,
    parts: list[tuple[int, int]],
    workspaces: Workspaces,
    num_threads: int,
    out: Array,
) -> None:
    """Parts of the batch, each on one thread."""

    state = barrier.new_state()  # of one thread each: nobody waits, but all can be told to stop

    def compute(start: int, stop: int) -> None:
        space = workspaces.take()
        part = plan.part(start, stop)
        forward = Forward(weights, part, space)
        forward.embed()
        forward.layers(0, 1, state, space, lambda: barrier.stopped(state))
        first = int(plan.row_starts[start])
        out[first : first + part.rows] = forward.x
        workspaces.give(space)

    tasks = [partial(compute, start, stop) for start, stop in parts]
    threads.run(tasks, num_threads, abandon=lambda: barrier.stop(state))


def _share(
    weights: PackedWeights,
    plan: Plan,
    span: tuple[int, int],
    workspaces: Workspaces,
    num_threads: int,
    out: Array,
) -> bool:
    """One part of the batch on all threads; False, and nothing done, where they are busy."""
    part, first = plan.part(*span), int(plan.row_starts[span[0]])
    spaces = [workspaces.take() for _ in range(num_threads)]
    state = barrier.new_state()
    forward = Forward(weights, part, spaces[0])
    forward.embed()

    def compute(number: int) -> None:
        forward.layers(number, num_threads, state, spaces[number], lambda: barrier.stopped(state))

    tasks = [partial(compute, number) for number in range(num_threads)]
    done = threads.run_together(tasks, abandon=lambda: barrier.stop(state))
    if done:
        out[first : first + part.rows] = forward.x
    for space in spaces:
        workspaces.give(space)
    return done


class Engine:
    """One model's weights, and what runs them on checked inputs.

    Args:
        config: the model's.
        weights: as for `PackedWeights`, in the policy's variable dtype.
        num_threads: how many a call uses at most.
        policy: which precision its kernels have, and in which dtype outputs come.
    """

    def __init__(
        self,
        config: BertConfig,
        weights: dict[str, Array],
        num_threads: int,
        policy: DTypePolicy = FLOAT32,
    ) -> None:
        self.config, self.num_threads, self.policy = config, num_threads, policy
        # A mixed policy computes as the one it is named after; its variables are wider.
        precision = PRECISIONS[policy.name.removeprefix("mixed_")]
        self.weights = PackedWeights(config, weights, precision)
        self._dtype = numpy_dtype(policy.compute_dtype)
        return_free_memory()
        self._workspaces = Workspaces(precision.real)

    def __reduce__(self) -> tuple[object, ...]:
        """Copies and pickles carry plain tensors: packed ones must lie on cache lines."""
        return Engine, (self.config, dict(self.weights.unpack()), self.num_threads, self.policy)

    def prepare(self) -> None:
        """Compile or load the kernels, and check once that they compute what they must."""
        forward.prepare(forward.kernels(self.weights.precision))
        self_check.check_once(self.weights.precision, self.num_threads)

    def empty_outputs(self, B: int, T: int) -> dict[str, Array]:
        """Zeros for the outputs of a batch; ``pooled_output`` only where there is a pooler."""
        D = self.config.hidden_dim
        outputs = {"sequence_output": np.zeros((B, T, D), self._dtype)}
        if self.weights.pooler is not None:
            outputs["pooled_output"] = np.zeros((B, D), self._dtype)
        return outputs

    def fill(self, outputs: dict[str, Array], inputs: Inputs, *, skip_padding: bool) -> None:
        """Run a batch of at least one sequence into ``outputs``."""
        D, plan = self.config.hidden_dim, self._plan(inputs, skip_padding=skip_padding)
        rows = self._run(plan)
        sequence = outputs["sequence_output"].reshape(-1, D)
        if plan.rows == len(sequence):
            sequence[:] = rows[:, :D]
        else:
            sequence[plan.sequences * inputs.kept.shape[1] + plan.positions] = rows[:, :D]
        if self.weights.pooler is not None:
            # Column 0 of every sequence is a row, and the first of its rows.
            first = rows[plan.row_starts[:-1]]
            outputs["pooled_output"][:] = forward.pool(self.weights, first)[:, :D]
        if skip_padding:  # column 0 was computed for the pooler alone
            dropped = ~inputs.kept[:, 0] & inputs.kept.any(axis=1)
            outputs["sequence_output"][dropped, 0] = 0

    def rows(
        self,
        sequences: list[NDArray[np.int32]],
        segment_ids: list[NDArray[np.int32]] | None = None,
        kept: list[NDArray[np.bool_]] | None = None,
    ) -> tuple[Array, NDArray[np.int64]]:
        """Run sequences without padding: (R, padded D) rows, and (B + 1,) where each begins."""
        plan = plan_sequences(sequences, segment_ids, kept, fused=self.config.dropout == 0)
        if not sequences:
            wide = buffers.padded(self.config.hidden_dim)
            return buffers.empty(0, wide, dtype=self.weights.precision.real), plan.row_starts
        return self._run(plan), plan.row_starts

    def pooled(self, rows: Array, starts: NDArray[np.int64]) -> Array:
        """The pooler over the first row of each sequence that `rows` gave: (B, padded D)."""
        return forward.pool(self.weights, rows[starts[:-1]])

    def stages(
        self, inputs: Inputs, wanted: Container[str], hooks: Hooks | None = None
    ) -> dict[str, Array]:
        """Some stages of a batch, by name: see `npbert.engine.trace.trace`."""
        plan = self._plan(inputs, skip_padding=False)
        seen = trace(self.weights, plan, inputs.token_ids.shape[1], wanted, hooks)
        # Scores that are rounded nowhere stay as they are.
        exact = (".scores",) if self.config.dropout == 0 else ()
        return {
            name: value if name.endswith(exact) else value.astype(self._dtype, copy=False)
            for name, value in seen.items()
        }

    def _run(self, plan: Plan) -> Array:
        self.prepare()
        work = partial(run, self.weights, plan, self._workspaces)
        return turns.take(self.num_threads, work)

    def _plan(self, inputs: Inputs, *, skip_padding: bool) -> Plan:
        return plan_batch(*inputs, skip_padding=skip_padding, fused=self.config.dropout == 0)
