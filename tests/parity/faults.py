"""Every fault that is planted: those that must be named, and those that must not be."""

from __future__ import annotations

import numpy as np
from parity.fault import Fault, here
from parity.fault_attention import ATTENTION, probs_with
from parity.fault_ends import ENDS
from parity.fault_layers import LAYERS
from parity.fault_weights import WEIGHTS
from parity.faulty import softmax
from scipy import special

KNOWN = {**LAYERS, **ATTENTION, **WEIGHTS, **ENDS}

UNKNOWN: dict[str, Fault] = {
    "noise on the values": Fault(
        None,
        "layer.{i}.value",
        here(
            "heads",
            lambda right, x, kind, i: (
                right(x, kind, i)
                * (
                    1
                    + (kind == "value")
                    * 0.01
                    * np.random.default_rng(1).normal(size=20).reshape(4, 5)
                )
            ),
        ),
    ),
    "softmax at another temperature": Fault(
        None,
        "layer.{i}.probs",
        probs_with(lambda s, kept: softmax(np.where(kept, s / np.float32(1.1), -1e9))),
    ),
    "features of the block rolled": Fault(
        None,
        "layer.{i}.output_layer_norm",
        here(
            "norm",
            lambda right, x, name, i: (
                np.roll(right(x, name, i), 1, -1)
                if name.endswith("feedforward_layer_norm")
                else right(x, name, i)
            ),
        ),
    ),
    "GELU of another constant": Fault(
        None,
        "layer.{i}.activation",
        here("activation", lambda right, x, i: x * special.expit(np.float32(1.6) * x)),
    ),
    "tokens shifted": Fault(
        None,
        "layer.{i}.context",
        here("context", lambda right, p, v, k, i: np.roll(right(p, v, k, i), 1, 1)),
    ),
    "clipped residual": Fault(
        None,
        "layer.{i}.output_residual",
        here(
            "residual",
            lambda right, b, x, f, kind, i: (
                np.clip(right(b, x, f, kind, i), -1, 1)
                if kind == "output"
                else right(b, x, f, kind, i)
            ),
        ),
    ),
}
"""What must not be."""
