"""Every stage of a forward pass, in the shapes that the definitions have: op by op, on one thread.

The ops are those of `npbert.ops.transformer_layer`, which runs a layer in one go; the contract
gives both the same bits, and a test holds them to it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npbert.engine.forward import (
    Workspace,
    apply_dense,
    embed,
    normalize,
    pool,
    prepare,
    scale,
)
from npbert.engine.packed import Dense, PackedWeights
from npbert.engine.plan import Plan
from npbert.errors import InputError
from npbert.ops.attention import attention_kernel
from npbert.ops.embedding import embedding_kernel
from npbert.ops.gelu import GELU_KERNELS
from npbert.ops.layer_norm import layer_norm_kernel
from npbert.ops.softmax import softmax
from npbert.simd import buffers
from npbert.simd.gemm import gemm_kernel

Array = NDArray[Any]
_ATTENTION, _OUTPUT = ("attention_output", "attention_residual"), ("output", "output_residual")


Hooks = Mapping[str, Callable[[Array], Any]]
"""Stage name -> what is called with its value; what it returns, unless None, takes its place."""


def trace(
    weights: PackedWeights,
    plan: Plan,
    T: int,
    wanted: Container[str] | None = None,
    hooks: Hooks | None = None,
) -> dict[str, Array]:
    """Stage name -> value, the names as in `npbert.reference`; padding must be in the plan.

    Args:
        weights, plan, T: of the pass; T is the length to which it is padded.
        wanted: the stages to keep; None keeps all.
        hooks: may replace a stage; whatever follows is computed from what they return.

    Raises:
        InputError: a hook returns another shape.
    """
    gelu = GELU_KERNELS[weights.config.activation]
    ops = (embedding_kernel, layer_norm_kernel, gemm_kernel, attention_kernel, gelu)
    prepare(tuple(op[weights.precision] for op in ops))
    run = _Trace(weights, plan, T, wanted, hooks or {})
    x = run.embeddings()
    for i in range(weights.config.num_layers):
        x = run.layer(x, i)
    run.outputs(x)
    return run.stages


class _Trace:
    """The stages so far; each method is a piece of the pass.

    Rows are (R, padded columns), as kernels have them; stages are what the definitions have.
    """

    def __init__(
        self,
        weights: PackedWeights,
        plan: Plan,
        T: int,
        wanted: Container[str] | None,
        hooks: Hooks,
    ) -> None:
        self.weights, self.config, self.plan, self.T = weights, weights.config, plan, T
        self.stages: dict[str, Array] = {}
        self.wanted, self.hooks = wanted, hooks
        self.precision = weights.precision
        self.space = Workspace(self.precision.real)
        self.nothing = np.empty((0, 0, 0), self.precision.real)

    def _empty(self, columns: int) -> Array:
        return buffers.empty(self.plan.rows, buffers.padded(columns), dtype=self.precision.real)

    def _batch(self, rows: Array, columns: int) -> Array:
        """(R, padded columns) as (B, T, columns), no copy."""
        return rows.reshape(self.plan.batch, self.T, rows.shape[1])[:, :, :columns]

    def _see(self, stage: str, value: Array) -> bool:
        """Keep a stage; whether a hook has put something else into ``value``."""
        hook, replaced = self.hooks.get(stage), False
        if hook is not None:
            new = hook(value.copy())
            replaced = new is not None
            if replaced:
                value[...] = self.precision.round(_of_shape(new, value, stage))
        if self.wanted is None or stage in self.wanted:
            self.stages[stage] = value.copy()
        return replaced

    def embeddings(self) -> Array:
        """(R, padded D)"""
        plan, tables, D = self.plan, self.weights.tables, self.config.hidden_dim
        parts, replaced = [], False
        for name, ids in (
            ("token", plan.token_ids),
            ("position", plan.positions),
            ("segment", plan.segment_ids),
        ):
            rows = self.precision.numbers(tables[name][ids]).astype(self.precision.real)
            replaced |= self._see(f"embeddings.{name}", self._batch(rows, D))
            parts.append(rows)
        x = self._empty(D)
        embed(self.weights, plan, x)
        if replaced:
            both = self.precision.round(parts[0] + parts[1])
            x[:] = self.precision.round(both + parts[2])
        self._see("embeddings.sum", self._batch(x, D))
        normalize(self.weights, x, self.weights.embeddings_norm, x)
        self._see("embeddings.layer_norm", self._batch(x, D))
        return x

    def layer(self, x: Array, i: int) -> Array:
        """(R, padded D) -> (R, padded D)"""
        config, layers, stage = self.config, self.weights.layers, f"layer.{i}"
        D, F = config.hidden_dim, config.intermediate_dim
        qkv = self._empty(3 * D)
        apply_dense(x, layers.query_key_value, qkv, layer=i)
        context = self._attention(qkv, stage)
        attended = self._dense_and_add(context, layers.attention_output, x, i, _ATTENTION, stage)
        y = self._empty(D)
        normalize(self.weights, attended, layers.attention_norm, y, layer=i)
        self._see(f"{stage}.attention_layer_norm", self._batch(y, D))

        wide = self._empty(F)
        apply_dense(y, layers.intermediate, wide, layer=i)
        self._see(f"{stage}.intermediate", self._batch(wide, F))
        GELU_KERNELS[config.activation][self.precision](wide, wide)
        self._see(f"{stage}.activation", self._batch(wide, F))
        output = self._dense_and_add(wide, layers.output, y, i, _OUTPUT, stage)
        normalize(self.weights, output, layers.output_norm, y, layer=i)
        self._see(f"{stage}.output_layer_norm", self._batch(y, D))
        return y

    def outputs(self, x: Array) -> None:
        """The last layer's rows once more, under the names that a call gives them."""
        sequence = self._batch(x, self.config.hidden_dim)
        self._see("sequence_output", sequence)
        if self.weights.pooler is not None:
            pooled = pool(self.weights, x[self.plan.row_starts[:-1]])
            self._see("pooled_output", pooled[:, : self.config.hidden_dim])

    def _dense_and_add(
        self, x: Array, dense: Dense, residual: Array, i: int, names: tuple[str, str], stage: str
    ) -> Array:
        """``x @ kernel + bias + residual``, seen before and after the last addition."""
        D, out = self.config.hidden_dim, self._empty(self.config.hidden_dim)
        apply_dense(x, dense, out, layer=i)
        if self._see(f"{stage}.{names[0]}", self._batch(out, D)):
            out[:] = self.precision.round(out + residual)
        else:  # in one go, as in a pass that nobody watches
            apply_dense(x, dense, out, residual, layer=i)
        self._see(f"{stage}.{names[1]}", self._batch(out, D))
        return out

    def _attention(self, qkv: Array, stage: str) -> Array:
        plan, B, T = self.plan, self.plan.batch, self.T
        N, H = self.config.num_heads, self.config.head_dim
        heads = self._batch(qkv, 3 * N * H).reshape(B, T, 3, N, H)  # a view: B and T are one axis
        for i, name in enumerate(("query", "key", "value")):
            self._see(f"{stage}.{name}", heads[:, :, i])
        # `scores` has every key, also those that the mask drops: a run of its own.
        rows = np.zeros((plan.rows, N, T), self.precision.real)
        everything, never = np.arange(plan.rows, dtype=np.int64), np.zeros_like(plan.uniform)
        self._attend(qkv, everything, plan.row_starts, never, rows, self.nothing)
        scores = rows.reshape(B, T, N, T).swapaxes(1, 2)
        rows = np.zeros((plan.rows, N, plan.most_keys), self.precision.real)
        context = self._attend(qkv, plan.keys, plan.key_starts, plan.uniform, self.nothing, rows)
        probs = _spread_keys(plan, rows.reshape(B, T, N, plan.most_keys), T)
        replaced = self._see(f"{stage}.scores", scores)
        if replaced:
            probs = self._softmax(scores)
        replaced |= self._see(f"{stage}.probs", probs)
        seen = self._batch(context, N * H).reshape(B, T, N, H)
        if replaced:
            mixed = probs @ np.swapaxes(heads[:, :, 2], 1, 2)  # (B, N, T, H)
            seen[...] = self.precision.round(np.swapaxes(mixed, 1, 2))
        self._see(f"{stage}.context", seen)
        return context

    def _softmax(self, scores: Array) -> Array:
        """Probabilities of other scores than the kernel's: (B, N, T, T) -> (B, N, T, T)."""
        kept = np.zeros(self.plan.rows, np.bool_)
        kept[self.plan.keys] = True
        mask = np.broadcast_to(kept.reshape(self.plan.batch, 1, 1, self.T), scores.shape)
        uniform = self.plan.uniform[:, None, None, None]
        return self.precision.round(softmax(np.where(uniform, 0, scores), mask))

    def _attend(
        self,
        qkv: Array,
        keys: NDArray[np.int64],
        key_starts: NDArray[np.int64],
        uniform: NDArray[np.bool_],
        scores: Array,
        probs: Array,
    ) -> Array:
        config, context = self.config, self._empty(self.config.hidden_dim)
        most_keys = int(np.diff(key_starts).max(initial=0))
        attention_kernel[self.precision](
            *(qkv, self.plan.row_starts, keys, key_starts, uniform),
            *(config.num_heads, config.head_dim, scale(config, self.precision)),
            config.dropout == 0,
            *self.space.for_attention(config, most_keys),
            *(context, scores, probs, 0, 1),
        )
        return context


def _spread_keys(plan: Plan, probs: Array, T: int) -> Array:
    """(B, T, N, kept keys) -> (B, N, T, T), zeros where a key is masked."""
    B, _, N, _ = probs.shape
    out = np.zeros((B, N, T, T), probs.dtype)
    for b in range(B):
        columns = plan.positions[plan.keys[plan.key_starts[b] : plan.key_starts[b + 1]]]
        out[b][:, :, columns] = probs[b, :, :, : len(columns)].swapaxes(0, 1)
    return out


def _of_shape(value: Any, like: Array, stage: str) -> Array:
    new = np.asarray(value)
    if new.shape != like.shape or new.dtype.kind not in "biufV":
        raise InputError(
            "a hook returned something that cannot take the place of its stage.",
            where=stage,
            received=f"{new.dtype} {new.shape}",
            expected=f"floats {like.shape}, or None to leave it as it is",
        )
    return new.astype(like.dtype)
