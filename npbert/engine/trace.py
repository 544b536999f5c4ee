"""Every stage of a forward pass, in the shapes that the definitions have: op by op, on one thread.

The ops are those of `npbert.ops.transformer_layer`, which runs a layer in one go; the contract
gives both the same bits, and a test holds them to it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from npbert.engine.forward import Workspace, apply_dense, embed, normalize, prepare
from npbert.engine.packed import PackedWeights
from npbert.engine.plan import Plan
from npbert.ops.attention import attention_kernel
from npbert.ops.embedding import embedding_kernel
from npbert.ops.gelu import GELU_KERNELS
from npbert.ops.layer_norm import layer_norm_kernel
from npbert.simd import buffers
from npbert.simd.gemm import gemm_kernel

F32 = NDArray[np.float32]
_NOTHING_3D = np.empty((0, 0, 0), np.float32)


def trace(weights: PackedWeights, plan: Plan, T: int) -> dict[str, F32]:
    """Stage name -> value, the names as in `npbert.reference`; padding must be in the plan."""
    gelu = GELU_KERNELS[weights.config.activation]
    prepare((embedding_kernel, layer_norm_kernel, gemm_kernel, attention_kernel, gelu))
    run = _Trace(weights, plan, T)
    x = run.embeddings()
    for i in range(weights.config.num_layers):
        x = run.layer(x, i)
    return run.stages


class _Trace:
    """The stages so far; each method is a piece of the pass."""

    def __init__(self, weights: PackedWeights, plan: Plan, T: int) -> None:
        self.weights, self.config, self.plan, self.T = weights, weights.config, plan, T
        self.stages: dict[str, F32] = {}
        self.space = Workspace()

    def _empty(self, columns: int) -> F32:
        return buffers.empty(self.plan.rows, buffers.padded(columns))

    def _see(self, stage: str, rows: F32, columns: int | None = None) -> None:
        """Keep (R, padded columns) rows as (B, T, columns)."""
        columns = columns or self.config.hidden_dim
        batch = rows.reshape(self.plan.batch, self.T, rows.shape[1])
        self.stages[stage] = batch[:, :, :columns].copy()

    def embeddings(self) -> F32:
        """(R, padded D)"""
        plan, tables = self.plan, self.weights.tables
        for name, ids in (
            ("token", plan.token_ids),
            ("position", plan.positions),
            ("segment", plan.segment_ids),
        ):
            self._see(f"embeddings.{name}", tables[name][ids])
        x = self._empty(self.config.hidden_dim)
        embed(self.weights, plan, x)
        self._see("embeddings.sum", x)
        normalize(self.config, x, self.weights.embeddings_norm, x)
        self._see("embeddings.layer_norm", x)
        return x

    def layer(self, x: F32, i: int) -> F32:
        """(R, padded D) -> (R, padded D)"""
        config, layers, stage = self.config, self.weights.layers, f"layer.{i}"
        D, F = config.hidden_dim, config.intermediate_dim
        qkv = self._empty(3 * D)
        apply_dense(x, layers.query_key_value, qkv, layer=i)
        self._see_heads(stage, qkv)
        context = self._attention(qkv, stage)
        attended = self._empty(D)
        apply_dense(context, layers.attention_output, attended, layer=i)
        self._see(f"{stage}.attention_output", attended)
        apply_dense(context, layers.attention_output, attended, x, layer=i)
        self._see(f"{stage}.attention_residual", attended)
        y = self._empty(D)
        normalize(config, attended, layers.attention_norm, y, layer=i)
        self._see(f"{stage}.attention_layer_norm", y)

        wide = self._empty(F)
        apply_dense(y, layers.intermediate, wide, layer=i)
        self._see(f"{stage}.intermediate", wide, F)
        GELU_KERNELS[config.activation](wide, wide)
        self._see(f"{stage}.activation", wide, F)
        output = self._empty(D)
        apply_dense(wide, layers.output, output, layer=i)
        self._see(f"{stage}.output", output)
        apply_dense(wide, layers.output, output, y, layer=i)
        self._see(f"{stage}.output_residual", output)
        normalize(config, output, layers.output_norm, y, layer=i)
        self._see(f"{stage}.output_layer_norm", y)
        return y

    def _see_heads(self, stage: str, qkv: F32) -> None:
        B, T, D = self.plan.batch, self.T, self.config.hidden_dim
        N, H = self.config.num_heads, self.config.head_dim
        parts = qkv[:, : 3 * D].reshape(B, T, 3, N, H)
        for i, name in enumerate(("query", "key", "value")):
            self.stages[f"{stage}.{name}"] = parts[:, :, i].copy()

    def _attention(self, qkv: F32, stage: str) -> F32:
        plan, B, T = self.plan, self.plan.batch, self.T
        N, H = self.config.num_heads, self.config.head_dim
        # `scores` has every key, also those that the mask drops: a run of its own.
        scores = np.zeros((plan.rows, N, T), np.float32)
        everything = np.arange(plan.rows, dtype=np.int64)
        never = np.zeros_like(plan.uniform)
        self._attend(qkv, everything, plan.row_starts, never, scores, _NOTHING_3D)
        self.stages[f"{stage}.scores"] = scores.reshape(B, T, N, T).swapaxes(1, 2).copy()
        probs = np.zeros((plan.rows, N, plan.most_keys), np.float32)
        context = self._attend(qkv, plan.keys, plan.key_starts, plan.uniform, _NOTHING_3D, probs)
        self.stages[f"{stage}.probs"] = _spread_keys(
            plan, probs.reshape(B, T, N, plan.most_keys), T
        )
        self.stages[f"{stage}.context"] = context[:, : N * H].reshape(B, T, N, H).copy()
        return context

    def _attend(
        self,
        qkv: F32,
        keys: NDArray[np.int64],
        key_starts: NDArray[np.int64],
        uniform: NDArray[np.bool_],
        scores: F32,
        probs: F32,
    ) -> F32:
        config, context = self.config, self._empty(self.config.hidden_dim)
        most_keys = int(np.diff(key_starts).max(initial=0))
        attention_kernel(
            *(qkv, self.plan.row_starts, keys, key_starts, uniform),
            *(config.num_heads, config.head_dim, np.float32(1 / math.sqrt(config.head_dim))),
            config.dropout == 0,
            *self.space.for_attention(config, most_keys),
            *(context, scores, probs, 0, 1),
        )
        return context


def _spread_keys(plan: Plan, probs: F32, T: int) -> F32:
    """(B, T, N, kept keys) -> (B, N, T, T), zeros where a key is masked."""
    B, _, N, _ = probs.shape
    out = np.zeros((B, N, T, T), np.float32)
    for b in range(B):
        columns = plan.positions[plan.keys[plan.key_starts[b] : plan.key_starts[b + 1]]]
        out[b][:, :, columns] = probs[b, :, :, : len(columns)].swapaxes(0, 1)
    return out
