"""The block after attention: each token alone, through a wider layer and back.

Source: Vaswani et al. 2017, section 3.3; keras_hub TransformerEncoder,
``_feedforward_intermediate_dense`` and ``_feedforward_output_dense``. Its kernels are those of
`npbert.ops.dense` and `npbert.ops.gelu`.
"""

from __future__ import annotations

from typing import NamedTuple

from npbert.ops.dense import dense
from npbert.ops.gelu import gelu, gelu_approximate
from npbert.ops.types import Array


class FeedForward(NamedTuple):
    """What the block computes, step by step."""

    intermediate: Array  # (B, T, F), before GELU
    activation: Array  # (B, T, F), after
    output: Array  # (B, T, D)


def feed_forward(
    x: Array,  # (B, T, D)
    intermediate_kernel: Array,  # (D, F)
    intermediate_bias: Array,  # (F,)
    output_kernel: Array,  # (F, D)
    output_bias: Array,  # (D,)
    *,
    activation: str,
    cubic: float = 0.044715,
) -> FeedForward:
    """``gelu(x @ W1 + b1) @ W2 + b2``; ``cubic`` is the tanh GELU's constant."""
    intermediate = dense(x, intermediate_kernel, intermediate_bias)
    if activation == "gelu_approximate":
        activated = gelu_approximate(intermediate, cubic=cubic)
    else:
        activated = gelu(intermediate)
    return FeedForward(intermediate, activated, dense(activated, output_kernel, output_bias))
