"""Mistakes in the activation: Hendrycks & Gimpel 2016 alone give three formulas for one name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from npbert.ops.gelu import gelu, gelu_approximate
from npbert.ops.relu import relu
from npbert.ops.sigmoid import sigmoid
from npbert.ops.types import Array
from npbert.parity.mistakes.cause import Cause, Offer, Offers, Where


def quick_gelu(x: Array) -> Array:
    """``x sigmoid(1.702 x)``, up to 0.0203 from GELU."""
    return x * sigmoid(1.702 * x)


def silu(x: Array) -> Array:
    """``x sigmoid(x)``"""
    return x * sigmoid(x)


_ACTIVATIONS: Final[dict[str, tuple[Callable[[Array], Array], str]]] = {
    "gelu": (gelu, "the erf GELU (Hugging Face's hidden_act='gelu')"),
    "gelu_approximate": (gelu_approximate, "the tanh GELU (Keras Hub's, 'gelu_pytorch_tanh')"),
    "quick_gelu": (quick_gelu, "the quick GELU, x sigmoid(1.702 x)"),
    "relu": (relu, "ReLU"),
    "silu": (silu, "SiLU, x sigmoid(x)"),
    "tanh": (np.tanh, "tanh"),
    "none": (np.asarray, "no activation at all"),
}
_KEYS: Final = {
    "gelu": "gelu_erf",
    "gelu_approximate": "gelu_tanh",
    "quick_gelu": "gelu_quick",
    "none": "activation_missing",
}


def _cause(name: str) -> Cause:
    op, words = _ACTIVATIONS[name]

    def offers(where: Where) -> Offers:
        expected = where.config.activation
        if name != expected:
            says = f"is {words}, where {_ACTIVATIONS[expected][1]} is expected"
            yield Offer(says, where.replaced(op))

    fix = "give both sides the same activation: hidden_act in transformers, activation= in npbert"
    return Cause(_KEYS.get(name, name), ("activation",), offers, fix)


CAUSES: Final = tuple(_cause(name) for name in _ACTIVATIONS)
