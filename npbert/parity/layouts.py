"""Stages of heads, in whatever shape a side keeps them.

A linear layer gives all heads in one axis, (B, T, D), which is how Hugging Face's module paths name
a query; where scores are made, heads stand before tokens. Neither is a difference.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from npbert.config import BertConfig
from npbert.parity.types import Array, Inputs, Source

OF_HEADS: Final = ("query", "key", "value", "context")


def run(
    side: Source, inputs: Inputs, config: BertConfig | None
) -> tuple[dict[str, Array], list[str]]:
    """What a side shows, with stages of heads in the shape that they have here.

    Args:
        side: which is run.
        inputs: (B, T) each.
        config: of the side, or one like it; None if it is not known, and nothing is changed.

    Returns:
        All stages, and a sentence on each layout that was another.
    """
    found = {stage: np.asarray(array) for stage, array in side.run(inputs).items()}
    if config is None:
        return found, []
    said: dict[str, None] = {}
    (B, T), N, H = np.shape(inputs["token_ids"]), config.num_heads, config.head_dim
    for stage, array in found.items():
        if stage.rpartition(".")[2] not in OF_HEADS or array.shape == (B, T, N, H):
            continue
        if array.shape == (B, T, N * H):
            found[stage], letters = array.reshape(B, T, N, H), "(B, T, D)"
        elif array.shape == (B, N, T, H):
            found[stage], letters = array.swapaxes(1, 2), "(B, N, T, H)"
        else:
            continue
        said[f"heads that come as {letters} are read as (B, T, N, H)"] = None
    return found, list(said)
