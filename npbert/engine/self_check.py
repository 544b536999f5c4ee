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
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.dtype_policy import numpy_dtype
from npbert.engine import forward, threads
from npbert.engine.forward import Forward, Workspace
from npbert.engine.packed import PackedWeights
from npbert.engine.plan import Plan, plan_batch
from npbert.errors import KernelError
from npbert.simd import barrier
from npbert.simd.precision import Precision

Array = NDArray[Any]

_STAGES: Final = (
    "embeddings",
    "layer.gelu_approximate",
    "pooler.gelu_approximate",
    "layer.gelu",
    "pooler.gelu",
)
_SHA_256: Final = {  # of NUMERICS = 1; they change with it, and with nothing else
    "float32": (
        "8658842d0297e1a361f8d70b9f686c597bf46ccade9ec19c3a5e6379e4a07fb9",
        "a6476b6e88e50875fc76ab05cb575287df6ab5ffb47d1d86e1c6ce2e26987a84",
        "48d2a9596ef25552a47d0da11b0a72bf95980c75dbff48d476501b665448e099",
        "f3e10fdd45c41df3fcc1bd8405e23750dcaff8333a906c7da1d1dd4f827dc49a",
        "413871f0fa21bea73351e239d91a56455dec0b769024e34eff1c49196f23b330",
    ),
    "float64": (
        "0624b542b009da1391692b953f9d9013f06530a6d19ac7f5dbbe95e58a91580d",
        "6517bbe818a030944486cb3a439c73e2ce35135691f083c4b05b00abe2cadcc5",
        "bbcffe6feec0853c6b409adfd51e00590147a4ad309e5c41e2d1c9a128abf3f2",
        "55ef0e3dc74c863f2cdb591bd3a1366301a0e87d82a2c2f072dbe9775152f3fb",
        "fd6f5a2c3323bf91a7e24642b378f3821fe57be5267baaf6997f93414a18ae8f",
    ),
    "float16": (
        "4151059d9cb517c599fedb981e7522b6bc2880d598bfd92c43ed31652c51f6cd",
        "c9ce430ec5fb15fd58408c14833edf6cc5606bea9155bec13b051f606fbbb010",
        "c02507de2f380b63e09289c1f59f1e2b8c0857727ef4d646d36f08c834a24dc5",
        "84cf48a44d4ded07e5be039de0b70e04581e266716412d36e4cb0726fdeff2f7",
        "21f700b853602729951fb459a5e28ce100e3150f0f9c4f727e993259ade077a1",
    ),
    "bfloat16": (
        "1f84045d55d042e5d8b183d57bd2129778d8e1b4fb1489e758695157c4142d72",
        "e6c19db1f447fde03b3aff8c6b2a71059af583d77bba6595353789a73f122bb1",
        "b53f945d3baa24670465860359868eac7654f91b669e50ba8899f9e2feb1eb00",
        "0fcbe71fdc89c626ddfac77a86bef1db649cf1b22c6a8ea24c343866638c28f8",
        "9aa159cbd80a1da6ae3c2122190721d1f18da230ffb6ef277c76ce771dcd9415",
    ),
    "float16_from_float32": (
        "662918338ed890e4f8b83557317cbd04a6be449c821c912ff393078b07f9832e",
        "dd1ca12074a1502894325a737ae8ec5cc2aca5cf03c1219c80620634b0355506",
        "48ee282c422280a48c8e9f745edd6e7faff22fea0ebeb2c407db7e52ee126571",
        "8bd1a5f4cc2ad152e3f37a553967e93d5875e0e60565bf4095689e006dd7f241",
        "8888c2d1bef25f3037526e057a9f86a5892073e98043cb104dba5b2be4e2b1b8",
    ),
    "bfloat16_from_float32": (
        "7bd655d3fedd79ef9650cdac89d6cc36171a6036f14b890a8e13e1d74e1956ed",
        "f7de4df51df85e4c6f096612e6e0c485acc622f27492df3db896747f233ead13",
        "999101b68884db7a5826ae6c7ec4de6b88932aec4dfb3789c8cbde9226b1ff0b",
        "5c7c7f98671d093c8ecba9c602414284d32f89e1e57bb814117176dabc50018a",
        "3c508b31175e02a18e759318f9702b44d47ea43725146a4830aff25963c7e3d9",
    ),
}
HASHES: Final = {name: dict(zip(_STAGES, each, strict=True)) for name, each in _SHA_256.items()}
"""Precision -> stage -> SHA-256."""

DROPOUT: Final = {"gelu_approximate": 0.1, "gelu": 0.0}
"""By activation: between them they take both of attention's paths."""

V, T, D, F, S, N = 23, 67, 70, 100, 3, 2  # H 35
_HEADS: Final = ("query", "key", "value")

_passed: dict[str, int] = {}  # by precision, the threads they were checked with: 2 for any number
_checking = threading.Lock()


def _unlock() -> None:
    """In a forked child: the thread that held the lock is gone."""
    global _checking
    _checking = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def check_once(precision: Precision, num_threads: int) -> None:
    """Run `check` unless this process has; until it passes, every call runs it again.

    Raises:
        KernelError: a kernel is wrong.
    """
    wanted = min(num_threads, 2)
    if _passed.get(precision.name, 0) >= wanted:
        return
    with _checking:
        if _passed.get(precision.name, 0) < wanted and check(precision, wanted):
            _passed[precision.name] = wanted


def check(precision: Precision, num_threads: int) -> bool:
    """Run the encoder on one thread and, if there are more, shared by two.

    Returns False where it could not be shared, for the threads were busy.

    Raises:
        KernelError: the hash of a stage is not that of `HASHES`.
    """
    shared, weights = True, packed(precision)
    for activation in DROPOUT:
        weights.config = config(activation)
        plan = batch_plan(fused=weights.config.dropout == 0)
        for parts in range(1, num_threads + 1):
            one = Forward(weights, plan, Workspace(precision.real))
            one.embed()
            _compare(precision, "embeddings", one.x, parts)
            if not _run_layer(one, parts):
                shared = False
                continue
            _compare(precision, f"layer.{activation}", one.x, parts)
            pooled = forward.pool(weights, one.x[plan.row_starts[:-1]])
            _compare(precision, f"pooler.{activation}", pooled, parts)
    return shared


def _run_layer(one: Forward, parts: int) -> bool:
    """The layer on this thread or on two; False, and nothing done, where they are busy."""
    state, never = barrier.new_state(), bool
    spaces = [Workspace(one.x.dtype) for _ in range(parts)]
    tasks = [partial(one.layers, n, parts, state, spaces[n], never) for n in range(parts)]
    if parts > 1:
        return threads.run_together(tasks, abandon=lambda: barrier.stop(state))
    tasks[0]()
    return True


def _compare(precision: Precision, stage: str, rows: Array, parts: int) -> None:
    values = np.ascontiguousarray(rows[:, :D], precision.real_dtype.newbyteorder("<"))
    found, expected = hashlib.sha256(values.tobytes()).hexdigest(), HASHES[precision.name][stage]
    if found == expected:
        return
    raise KernelError(
        "the compiled kernels failed their self-check: they do not compute what they must.",
        where=f"stage {stage!r} in {precision.name}" + " shared by two threads" * (parts > 1),
        received=f"SHA-256 {found}",
        expected=f"SHA-256 {expected}, as on every machine",
        fix="set NPBERT_CACHE_DIR to a new directory, so that they are compiled again; if that does"
        " not help, report it with the output of `npbert info`",
    )


# -- the encoder -----------------------------------------------------------------------------------


def packed(precision: Precision) -> PackedWeights:
    """The weights, which are those of either activation."""
    stored = numpy_dtype(precision.stored)
    weights = {name: tensor.astype(stored) for name, tensor in tensors().items()}
    return PackedWeights(config("gelu"), weights, precision)


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


def tensors() -> dict[str, Array]:
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


def _numbers(count: int) -> Array:
    """Multiples of 2^-25 without a pattern: whole numbers until the last step, which is exact."""
    x = np.arange(1, count + 1, dtype=np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):  # the end of MurmurHash3
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return ((x >> np.uint32(8)).astype(np.float32) - np.float32(2**23)) * np.float32(2.0**-25)
