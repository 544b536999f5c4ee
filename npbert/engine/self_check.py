"""Before the first result of a process: do the kernels have the bits that they must have?

The numerics contract fixes every bit on every machine, so a small encoder needs no tolerance, nor a
second implementation at run time: its hashes stand here, and another one is an error. A compiler's
mistake, a damaged file of the cache, or a processor that is not what it says, ends here rather than
in wrong vectors. The check takes two or three milliseconds.

The encoder's weights are whole numbers, scaled: no library's random generator makes them. Its
sizes leave a tail wherever kernels have one: in the rows of every tile, in the cut of K, in panels
and vectors of columns, in the keys; a mask with a hole, a sequence without any key, left padding.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.engine import forward, threads
from npbert.engine.forward import Forward, Workspace
from npbert.engine.packed import PackedWeights
from npbert.engine.plan import Plan, plan_batch
from npbert.errors import KernelError
from npbert.simd import barrier

F32 = NDArray[np.float32]

HASHES: Final = {  # of NUMERICS = 1; they change with it, and with nothing else
    "embeddings": "8658842d0297e1a361f8d70b9f686c597bf46ccade9ec19c3a5e6379e4a07fb9",
    "layer.gelu_approximate": "a6476b6e88e50875fc76ab05cb575287df6ab5ffb47d1d86e1c6ce2e26987a84",
    "pooler.gelu_approximate": "48d2a9596ef25552a47d0da11b0a72bf95980c75dbff48d476501b665448e099",
    "layer.gelu": "f3e10fdd45c41df3fcc1bd8405e23750dcaff8333a906c7da1d1dd4f827dc49a",
    "pooler.gelu": "413871f0fa21bea73351e239d91a56455dec0b769024e34eff1c49196f23b330",
}
DROPOUT: Final = {"gelu_approximate": 0.1, "gelu": 0.0}
"""By activation: between them they take both of attention's paths."""

V, T, D, F, S, N = 23, 67, 70, 100, 3, 2  # H 35
_HEADS: Final = ("query", "key", "value")

_passed = 0  # threads up to which the kernels were checked: 0, 1, or 2 for any number
_checking = threading.Lock()


def _unlock() -> None:
    """In a forked child: the thread that held the lock is gone."""
    global _checking
    _checking = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def check_once(num_threads: int) -> None:
    """Run `check` unless this process has; until it passes, every call runs it again.

    Raises:
        KernelError: a kernel is wrong.
    """
    global _passed
    wanted = min(num_threads, 2)
    if _passed >= wanted:
        return
    with _checking:
        if _passed < wanted and check(wanted):
            _passed = wanted


def check(num_threads: int) -> bool:
    """Run the encoder on one thread and, if there are more, shared by two.

    Returns False where it could not be shared, for the threads were busy.

    Raises:
        KernelError: the hash of a stage is not that of `HASHES`.
    """
    shared, weights = True, packed()
    for activation in DROPOUT:
        weights.config = config(activation)
        plan = batch_plan(fused=weights.config.dropout == 0)
        for parts in range(1, num_threads + 1):
            one = Forward(weights, plan, Workspace())
            one.embed()
            _compare("embeddings", one.x, parts)
            if not _run_layer(one, parts):
                shared = False
                continue
            _compare(f"layer.{activation}", one.x, parts)
            pooled = forward.pool(weights, one.x[plan.row_starts[:-1]])
            _compare(f"pooler.{activation}", pooled, parts)
    return shared


def _run_layer(one: Forward, parts: int) -> bool:
    """The layer on this thread or on two; False, and nothing done, where they are busy."""
    state, never = barrier.new_state(), bool
    tasks = [partial(one.layers, n, parts, state, Workspace(), never) for n in range(parts)]
    if parts > 1:
        return threads.run_together(tasks, abandon=lambda: barrier.stop(state))
    tasks[0]()
    return True


def _compare(stage: str, rows: F32, parts: int) -> None:
    found = hashlib.sha256(np.ascontiguousarray(rows[:, :D], "<f4").tobytes()).hexdigest()
    if found == HASHES[stage]:
        return
    raise KernelError(
        "the compiled kernels failed their self-check: they do not compute what they must.",
        where=f"stage {stage!r}" + " shared by two threads" * (parts > 1),
        received=f"SHA-256 {found}",
        expected=f"SHA-256 {HASHES[stage]}, as on every machine",
        fix="set NPBERT_CACHE_DIR to a new directory, so that they are compiled again; if that does"
        " not help, report it with the output of `npbert info`",
    )


# -- the encoder -----------------------------------------------------------------------------------


def packed() -> PackedWeights:
    """The weights, which are those of either activation."""
    return PackedWeights(config("gelu"), tensors())


def batch_plan(*, fused: bool) -> Plan:
    """The batch without its padding."""
    return plan_batch(*batch(), skip_padding=True, fused=fused)


def config(activation: str) -> BertConfig:
    """The encoder's."""
    return BertConfig(
        vocabulary_size=V,
        num_layers=1,
        num_heads=N,
        hidden_dim=D,
        intermediate_dim=F,
        dropout=DROPOUT[activation],
        max_sequence_length=T,
        num_segments=S,
        activation=activation,
    )


def batch() -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Token ids, segment ids and kept keys of three sequences: (3, T) each."""
    ids = np.arange(3 * T, dtype=np.int32).reshape(3, T)
    kept = np.ones((3, T), np.bool_)
    kept[0, 5] = kept[1] = False
    kept[2, : T - 3] = False
    return ids % V, ids % S, kept


def tensors() -> dict[str, F32]:
    """Keras Hub's variable paths -> float32 tensors with values from -1/4 to 1/4, or 3/4 to 5/4."""
    layer = "transformer_layer_0"
    attention = f"{layer}/self_attention_layer"
    shapes: dict[str, tuple[int, ...]] = {
        "token_embedding/embeddings": (V, D),
        "position_embedding/embeddings": (T, D),
        "segment_embedding/embeddings": (S, D),
    }
    for norm in (
        *("embeddings_layer_norm", f"{layer}/self_attention_layer_norm"),
        f"{layer}/feedforward_layer_norm",
    ):
        shapes |= {f"{norm}/gamma": (D,), f"{norm}/beta": (D,)}
    for head in _HEADS:
        shapes |= {f"{attention}/{head}/kernel": (D, N, D // N)}
        shapes |= {f"{attention}/{head}/bias": (N, D // N)}
    for dense, *kernel in (
        (f"{attention}/attention_output", N, D // N, D),
        (f"{layer}/feedforward_intermediate_dense", D, F),
        (f"{layer}/feedforward_output_dense", F, D),
        ("pooled_dense", D, D),
    ):
        shapes |= {f"{dense}/kernel": tuple(kernel), f"{dense}/bias": (kernel[-1],)}
    numbers = _numbers(sum(map(math.prod, shapes.values())))
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    made = {}
    for (name, shape), values in zip(shapes.items(), np.split(numbers, ends[:-1]), strict=True):
        made[name] = (values + np.float32(name.endswith("gamma"))).reshape(shape)
    return made


def _numbers(count: int) -> F32:
    """Multiples of 2^-25 without a pattern: whole numbers until the last step, which is exact."""
    x = np.arange(1, count + 1, dtype=np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):  # the end of MurmurHash3
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return ((x >> np.uint32(8)).astype(np.float32) - np.float32(2**23)) * np.float32(2.0**-25)
