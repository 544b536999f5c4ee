"""Every stage of a forward pass, in the shapes that the definitions have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.engine.forward import Forward, Workspace
from npbert.engine.packed import PackedWeights
from npbert.engine.plan import Plan

F32 = NDArray[np.float32]


def trace(weights: PackedWeights, plan: Plan, T: int) -> dict[str, F32]:
    """Stage name -> value, the names as in `npbert.reference`; padding must be in the plan.

    The same kernels run on the same rows as without tracing, and so the bits are the same.
    """
    stages: dict[str, F32] = {}
    B = plan.batch

    def seen(stage: str, value: F32) -> None:
        kind = stage.rsplit(".", 1)[1]
        batch = value.reshape(B, T, *value.shape[1:])
        if kind == "scores":
            stages[stage] = batch.swapaxes(1, 2).copy()  # (B, T, N, T) -> (B, N, T, T)
        elif kind == "probs":
            stages[stage] = _spread_keys(plan, batch, T)
        elif kind == "query_key_value":
            layer = stage.removesuffix(kind)
            stages.update({layer + name: x for name, x in _split_heads(weights.config, batch)})
        elif kind == "context":
            N, H = weights.config.num_heads, weights.config.head_dim
            stages[stage] = batch[:, :, : N * H].reshape(B, T, N, H).copy()
        else:
            inside = kind in ("intermediate", "activation")
            width = weights.config.intermediate_dim if inside else weights.config.hidden_dim
            stages[stage] = batch[:, :, :width].copy()

    Forward(weights, plan, Workspace(), seen).run()
    return stages


def _split_heads(config: BertConfig, qkv: F32) -> list[tuple[str, F32]]:
    """(B, T, >= 3 D) -> query, key and value, (B, T, N, H) each."""
    B, T, D = *qkv.shape[:2], config.hidden_dim
    shape = (B, T, 3, config.num_heads, config.head_dim)
    parts = qkv[:, :, : 3 * D].reshape(shape)
    return [(name, parts[:, :, i].copy()) for i, name in enumerate(("query", "key", "value"))]


def _spread_keys(plan: Plan, probs: F32, T: int) -> F32:
    """(B, T, N, kept keys) -> (B, N, T, T), zeros where a key is masked."""
    B, _, N, _ = probs.shape
    out = np.zeros((B, N, T, T), np.float32)
    for b in range(B):
        columns = plan.positions[plan.keys[plan.key_starts[b] : plan.key_starts[b + 1]]]
        out[b][:, :, columns] = probs[b, :, :, : len(columns)].swapaxes(0, 1)
    return out
