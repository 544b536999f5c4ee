"""Faults at either end of the model: in the embeddings, and after the last layer."""

from __future__ import annotations

import numpy as np
from parity.fault import Fault, everywhere, here
from parity.faulty import EMBEDDINGS, T


def _restarted(segments: np.ndarray) -> np.ndarray:
    places = np.zeros_like(segments)
    for row, kinds in zip(places, segments):
        for t in range(1, T):
            row[t] = row[t - 1] + 1 if kinds[t] == kinds[t - 1] else 0
    return places


ENDS: dict[str, Fault] = {
    "no positions": Fault(
        "position_missing", "embeddings.sum", everywhere("add", lambda m, t, p, s: t + s)
    ),
    "one position": Fault(
        "position_ignored",
        "embeddings.position",
        everywhere("position_ids", lambda m: 0 * m.inputs["token_ids"]),
    ),
    "no pooler": Fault("pooler_missing", "pooled_output", everywhere("pool", lambda m, x: x[:, 0])),
    "embeddings' epsilon": Fault(
        "layer_norm_epsilon",
        "embeddings.layer_norm",
        lambda i: here("epsilon", lambda right, i: 1e-5)(EMBEDDINGS),
    ),
    "no segments": Fault(
        "segment_missing", "embeddings.sum", everywhere("add", lambda m, t, p, s: t + p)
    ),
    "segment ids dropped": Fault(
        "segment_ids_ignored",
        "embeddings.segment",
        everywhere("segment_ids", lambda m: 0 * m.inputs["segment_ids"]),
    ),
    "positions from 2": Fault(
        "position_offset",
        "embeddings.position",
        everywhere("position_ids", lambda m: np.arange(T) + 2 + 0 * m.inputs["token_ids"]),
        says="from 2",
    ),
    "positions from the mask": Fault(
        "positions_from_mask",
        "embeddings.position",
        everywhere("position_ids", lambda m: m.inputs["padding_mask"].cumsum(1)),
    ),
    "positions restarted": Fault(
        "positions_restarted",
        "embeddings.position",
        everywhere("position_ids", lambda m: _restarted(m.inputs["segment_ids"])),
    ),
    "token rows off by one": Fault(
        "token_rows_off",
        "embeddings.token",
        everywhere(
            "token_rows",
            lambda m: m.weights["token_embedding/embeddings"][m.inputs["token_ids"] - 1],
        ),
    ),
    "embeddings scaled": Fault(
        "embeddings_scaled",
        "embeddings.sum",
        everywhere("add", lambda m, t, p, s: t * np.float32(20**0.5) + p + s),
    ),
    "no tanh in the pooler": Fault(
        "pooler_activation",
        "pooled_output",
        everywhere(
            "pool",
            lambda m, x: (
                x[:, 0] @ m.tensors("pooled_dense", 6)[0] + m.tensors("pooled_dense", 6)[1]
            ),
        ),
    ),
    "pooler of the last token": Fault(
        "pooler_token", "pooled_output", everywhere("first", lambda m, x: x[:, -1])
    ),
}
