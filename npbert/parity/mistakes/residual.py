"""Mistakes where a block's output meets its input, and dropout that was left on."""

from __future__ import annotations

from typing import Final

import numpy as np

from npbert.ops.types import Array
from npbert.parity.mistakes.cause import RESIDUALS, Cause, Offer, Offers, Where, one


def _layers_input(where: Where) -> Offers:
    """The layer's own input, where the attention block's output is meant."""
    x = where.steps[where.beside("attention_residual")].inputs[1]
    step = where.step._replace(inputs=(where.step.inputs[0], x))
    yield Offer("adds the layer's input, not the feed-forward block's", {where.stage: step})


def _dropout(where: Where) -> Offers:
    """Some values are 0, and all others too large by one factor: that cannot be chance."""
    if where.seen is None:
        return
    op, seen = where.step.op, where.seen.astype(np.float64)
    residual = where.kind in RESIDUALS

    def dropped(*values: Array) -> Array:
        base = values[1] if residual else values[0].dtype.type(0)
        clean = np.asarray(op(*values) - base)
        left = seen.astype(clean.dtype) - base
        kept = np.abs(left) > 0.01 * np.abs(clean)
        if not 0.01 < 1 - kept[clean != 0].mean() < 0.9:
            return base + clean
        factor = np.median(left[kept] / clean[kept])
        if not factor > 1.01:
            return base + clean
        return np.where(kept, clean * factor, clean.dtype.type(0)) + base

    yield Offer("has values dropped at random and the others scaled up", where.replaced(dropped))


CAUSES: Final = (
    Cause(
        "residual_missing",
        RESIDUALS,
        one("lacks the residual: nothing is added", lambda op: lambda block, x: block),
        "add the block's input to its output",
    ),
    Cause(
        "residual_of_layer_input",
        ("output_residual",),
        _layers_input,
        "add what went into the feed-forward block: the attention's layer norm",
    ),
    Cause(
        "dropout_active",
        (*RESIDUALS, "probs"),
        _dropout,
        "switch training off: model.eval() in PyTorch, training=False in Keras",
    ),
)
