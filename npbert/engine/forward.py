"""One forward pass over ragged rows: the kernels of `npbert.ops`, in BERT's order.

Compare `npbert.reference.forward`, which is the same in plain NumPy.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npbert.engine.packed import Dense, Layer, Norm, PackedWeights
from npbert.engine.plan import Plan
from npbert.ops.attention import attention_kernel
from npbert.ops.dense import dense_kernel
from npbert.ops.embedding import embedding_kernel
from npbert.ops.gelu import GELU_KERNELS
from npbert.ops.layer_norm import layer_norm_kernel
from npbert.ops.pooler import tanh_kernel
from npbert.progress import progress
from npbert.simd import buffers
from npbert.simd.kernel import Kernel

F32 = NDArray[np.float32]
Seen = Callable[[str, F32], Any]

ATTENTION_ROWS = 64
"""Rows of scores at once: with 512 keys they fill 128 KB, half of a small L2 cache."""

_NOTHING = np.empty((0, 0), np.float32)
_NOTHING_3D = np.empty((0, 0, 0), np.float32)


class Workspace:
    """Scratch memory of one forward pass at a time; grows to the largest, and is used again."""

    def __init__(self) -> None:
        self._buffers: dict[str, F32] = {}

    def get(self, name: str, *shape: int) -> F32:
        """An uninitialised array of this shape, on the buffer kept under ``name``."""
        size = math.prod(shape)
        if name not in self._buffers or self._buffers[name].size < size:
            self._buffers[name] = buffers.empty(size)
        return self._buffers[name][:size].reshape(shape)


class Forward:
    """One pass of ``plan`` through ``weights``.

    Args:
        seen: called with (stage, ragged rows) for every stage; None costs nothing.
        stopped: asked between layers; True abandons the pass.
    """

    def __init__(
        self,
        weights: PackedWeights,
        plan: Plan,
        workspace: Workspace,
        seen: Seen | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.weights, self.plan, self.space = weights, plan, workspace
        self.config = weights.config
        self.seen, self.stopped = seen, stopped
        self.columns = buffers.padded(self.config.hidden_dim)

    def run(self) -> F32:
        """(R, padded D): the rows of ``sequence_output``, in memory of the workspace."""
        x = self._embed()
        for i, layer in enumerate(self.weights.layers):
            if self.stopped():
                break
            self._layer(x, layer, f"layer.{i}")
        return x

    def _embed(self) -> F32:
        plan, tables = self.plan, self.weights.tables
        x = self.space.get("x", plan.rows, self.columns)
        ids = (plan.token_ids, plan.positions, plan.segment_ids)
        embedding_kernel(*ids, tables["token"], tables["position"], tables["segment"], x)
        for name, table, index in zip(("token", "position", "segment"), tables.values(), ids):
            self._see(f"embeddings.{name}", table, index)
        self._see("embeddings.sum", x)
        self._norm(x, self.weights.embeddings_norm, x)
        self._see("embeddings.layer_norm", x)
        return x

    def _layer(self, x: F32, layer: Layer, stage: str) -> None:
        """``x`` becomes the layer's output."""
        rows, columns, config = self.plan.rows, self.columns, self.config
        qkv = self.space.get("qkv", rows, buffers.padded(3 * config.hidden_dim))
        context = self.space.get("context", rows, columns)
        hidden = self.space.get("hidden", rows, columns)
        wide = self.space.get("wide", rows, buffers.padded(config.intermediate_dim))

        self._dense(x, layer.query_key_value, qkv, None, f"{stage}.query_key_value")
        self._attention(qkv, context, stage)
        self._see(f"{stage}.context", context)
        self._dense(context, layer.attention_output, hidden, x, f"{stage}.attention_output")
        self._see(f"{stage}.attention_residual", hidden)
        self._norm(hidden, layer.attention_norm, x)
        self._see(f"{stage}.attention_layer_norm", x)

        self._dense(x, layer.intermediate, wide, None, f"{stage}.intermediate")
        GELU_KERNELS[config.activation](wide, wide)
        self._see(f"{stage}.activation", wide)
        self._dense(wide, layer.output, hidden, x, f"{stage}.output")
        self._see(f"{stage}.output_residual", hidden)
        self._norm(hidden, layer.output_norm, x)
        self._see(f"{stage}.output_layer_norm", x)

    def _dense(self, x: F32, dense: Dense, out: F32, residual: F32 | None, stage: str) -> None:
        """``out = dense(x) (+ residual)``; the stage is what the dense layer itself returns."""
        shape = (self.plan.rows, x, dense.depth, dense.panels, dense.columns, dense.bias)
        if residual is None or self.seen is not None:
            dense_kernel(*shape, _NOTHING, out)
            self._see(stage, out)
        if residual is not None:
            dense_kernel(*shape, residual, out)

    def _norm(self, x: F32, norm: Norm, out: F32) -> None:
        epsilon, columns = self.config.layer_norm_epsilon, self.config.hidden_dim
        layer_norm_kernel(x, norm.gamma, norm.beta, epsilon, columns, out)

    def _attention(self, qkv: F32, context: F32, stage: str) -> None:
        plan = self.plan
        if self.seen is None:
            self._attend(qkv, plan.keys, plan.key_starts, plan.uniform, context)
            return
        # The stage `scores` has every key, also those that the mask drops: a run of its own.
        N = self.config.num_heads
        longest = int(np.diff(plan.row_starts).max(initial=0))
        seen = np.zeros((plan.rows, N, longest), np.float32)
        all_keys = np.arange(plan.rows, dtype=np.int64)
        uniform = np.zeros_like(plan.uniform)
        self._attend(qkv, all_keys, plan.row_starts, uniform, context, scores=seen)
        self._see(f"{stage}.scores", seen)
        seen = np.zeros((plan.rows, N, plan.most_keys), np.float32)
        self._attend(qkv, plan.keys, plan.key_starts, plan.uniform, context, probs=seen)
        self._see(f"{stage}.probs", seen)

    def _attend(
        self,
        qkv: F32,
        keys: NDArray[np.int64],
        key_starts: NDArray[np.int64],
        uniform: NDArray[np.bool_],
        context: F32,
        scores: F32 = _NOTHING_3D,
        probs: F32 = _NOTHING_3D,
    ) -> None:
        N, H = self.config.num_heads, self.config.head_dim
        S = buffers.padded(max(1, int(np.diff(key_starts).max(initial=0))))
        wide, get = buffers.padded(H), self.space.get
        attention_kernel(
            *(qkv, self.plan.row_starts, keys, key_starts, uniform, N, H),
            np.float32(1 / math.sqrt(H)),
            self.config.dropout == 0,
            get("attention.query", ATTENTION_ROWS, wide),
            get("attention.scores", ATTENTION_ROWS, S),
            get("attention.context", ATTENTION_ROWS, wide),
            get("attention.keys", S * H),
            get("attention.values", S * wide),
            *(context, scores, probs),
        )

    def _see(self, stage: str, value: F32, rows: NDArray[np.int32] | None = None) -> None:
        if self.seen is not None:
            self.seen(stage, value if rows is None else value[rows])


def pool(weights: PackedWeights, hidden: F32) -> F32:
    """``tanh(hidden @ kernel + bias)``: the pooler over one row a sequence.  (B, padded D)"""
    assert weights.pooler is not None
    dense, out = weights.pooler, buffers.empty(*hidden.shape)
    arguments = (dense.depth, dense.panels, dense.columns, dense.bias, _NOTHING, out)
    dense_kernel(len(hidden), hidden, *arguments)
    tanh_kernel(out, out)
    return out


def kernels(activation: str) -> list[Kernel]:
    """Every kernel that a forward pass calls."""
    gelu = GELU_KERNELS[activation]
    return [
        *(embedding_kernel, layer_norm_kernel, dense_kernel),
        *(attention_kernel, gelu, tanh_kernel),
    ]


def prepare(wanted: list[Kernel]) -> None:
    """Make the kernels ready; where that means compiling, say so on stderr, with progress."""
    missing = [each for each in wanted if not each.load()]
    if not missing:
        return
    title = "npbert: compiling kernels, once for this machine"
    if not sys.stderr.isatty():
        print(f"{title} ({len(missing)}, about {len(missing)} s) ...", file=sys.stderr)
    with progress(title, len(missing), show=sys.stderr.isatty()) as advance:
        for each in missing:
            each.prepare()
            advance(1)
