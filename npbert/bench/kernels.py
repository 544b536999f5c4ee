"""npbert's kernels one by one, and a forward pass as the sum of them. One thread.

What is timed are the kernels themselves, on the very arguments that the ops of
`npbert.ops.registry` and `npbert.engine.trace` give them: calls are noted down while those run, and
then repeated. Before each repetition, what the kernel had changed is put back.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

import npbert
from npbert.bench import op_cases
from npbert.bench.models import config_of
from npbert.simd.kernel import Kernel

REPEATS: Final = 7
F32 = NDArray[np.float32]


class Measured(NamedTuple):
    """One line of a table: best and median seconds, and what they were spent on.

    ``flops`` counts multiply-adds as two; an op that is no product has 0, and is judged by the
    ``bytes`` that it must read and write. ``copy`` is how long NumPy takes to copy as many.
    """

    op: str
    shape: str
    best: float
    median: float
    flops: int
    bytes: int
    copy: float = 0.0


class Call:
    """A kernel's call: its arguments, and those of them that it changes, as they were before."""

    def __init__(self, kernel: Kernel, arguments: Sequence[Any]) -> None:
        self.kernel, self.arguments = kernel, tuple(arguments)
        self._before: list[tuple[F32, F32]] = []

    def run_first(self, run: Callable[..., None]) -> None:
        """Run it as it was meant, and find out what it changes."""
        arrays = [a for a in self.arguments if isinstance(a, np.ndarray) and a.size]
        copies = [(array, array.copy()) for array in arrays]
        run(self.kernel, *self.arguments)
        self._before = [(a, b) for a, b in copies if a.tobytes() != b.tobytes()]

    def seconds(self) -> float:
        """One more run."""
        for array, before in self._before:
            array[...] = before
        start = time.perf_counter()
        self.kernel(*self.arguments)
        return time.perf_counter() - start


@contextmanager
def noted() -> Iterator[list[Call]]:
    """The list of all calls of kernels from Python, in their order."""
    calls: list[Call] = []
    run = Kernel.__call__

    def note(kernel: Kernel, *arguments: Any) -> None:
        call = Call(kernel, arguments)
        call.run_first(run)
        calls.append(call)

    setattr(Kernel, "__call__", note)  # noqa: B010
    try:
        yield calls
    finally:
        setattr(Kernel, "__call__", run)  # noqa: B010


def time_calls(
    op: str, shape: str, calls: Sequence[Call], flops: int = 0, size: int = 0
) -> Measured:
    """Time an op, which is one call or a few, one after the other."""
    each = [sum(call.seconds() for call in calls) for _ in range(REPEATS)]
    copied = copy_seconds(size) if size else 0.0
    return Measured(op, shape, min(each), statistics.median(each), flops, size, copied)


def copy_seconds(size: int) -> float:
    """How long NumPy takes to copy so much that it reads and writes ``size`` bytes; the best."""
    source = np.ones(max(1, size // 8), np.float32)
    target = np.empty_like(source)
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return best


def measure(batch: int, tokens: int, model: str) -> list[Measured]:
    """Every op of the registry alone, at the sizes that a batch of this model gives it."""
    return [
        time_calls(case.op, case.shape, _calls_of(case.run), case.flops, case.bytes)
        for case in op_cases.cases(config_of(Path(model)), batch, tokens)
    ]


def _calls_of(run: Callable[[], object]) -> list[Call]:
    with noted() as calls:
        run()
    return calls


def profile(batch: int, tokens: int, model: str) -> list[Measured]:
    """The ops of a forward pass, each summed over the layers; the last line is the pass itself."""
    loaded = npbert.BertBackbone.from_preset(model, num_threads=1)
    loaded.prepare()
    vocabulary = loaded.config.vocabulary_size
    ids = np.random.default_rng(0).integers(0, vocabulary, (batch, tokens))
    inputs = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}
    calls = traced(_calls_of(lambda: loaded.run_with_cache(inputs)))
    names = op_cases.step_names(loaded.config.num_layers, [call.kernel.name for call in calls])
    times: dict[str, list[float]] = {name: [] for name in (*names, op_cases.WHOLE)}
    for _ in range(REPEATS):
        spent = dict.fromkeys(names, 0.0)
        for name, call in zip(names, calls, strict=True):
            spent[name] += call.seconds()
        start = time.perf_counter()
        loaded(inputs)
        spent[op_cases.WHOLE] = time.perf_counter() - start
        for name, seconds in spent.items():
            times[name].append(seconds)
    flops = op_cases.step_flops(loaded.config, batch, tokens)
    shape = f"{batch} x {tokens}"
    return [
        Measured(name, shape, min(each), statistics.median(each), flops.get(name, 0), 0)
        for name, each in times.items()
    ]


def traced(calls: Sequence[Call]) -> list[Call]:
    """Of the calls of ``run_with_cache``, those that make one pass op by op.

    A plain pass comes first. Then each op runs by itself; those that are shown at two stages run
    twice, and the second time as in a plain pass. Nothing is recorded when they are repeated.
    """
    begins = [i for i, call in enumerate(calls) if call.kernel.name == "embedding_kernel"]
    ops = list(calls[begins[-1] :])
    kept = [a for a, b in pairwise(ops) if (a.kernel, id(_reads(a))) != (b.kernel, id(_reads(b)))]
    for call in (kept := [*kept, ops[-1]]):
        call.arguments = tuple(_NOT_SEEN if _is_record(a) else a for a in call.arguments)
    return kept


_NOT_SEEN: Final = np.empty((0, 0, 0), np.float32)


def _is_record(argument: object) -> bool:
    """Attention's scores and probabilities, which only a trace wants: arrays of three axes."""
    return isinstance(argument, np.ndarray) and argument.ndim == 3


def _reads(call: Call) -> object:
    return next(a for a in call.arguments if isinstance(a, np.ndarray))
