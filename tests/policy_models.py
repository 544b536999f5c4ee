"""Small models for the tests of dtype policies, and a batch for them."""

from __future__ import annotations

import numpy as np

from npbert import BertBackbone
from npbert.config import BertConfig
from npbert.weights import weight_shapes

# S 4, L 2, N 3, H 23, P 10, V 31, D 69, F 77: rows that end in the middle of a vector, and sums
# longer than one part.
SIZES = {
    "vocabulary_size": 31,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 69,
    "intermediate_dim": 77,
    "max_sequence_length": 10,
    "num_segments": 4,
}


def make(dtype=None, **changes):
    """A model with fresh weights."""
    return BertBackbone(**(SIZES | {"seed": 3, "num_threads": 1} | changes), dtype=dtype)


def batch():
    """Five sequences of seven tokens, with a hole, padding on either side, and one of nothing."""
    random = np.random.default_rng(11)
    kept = np.ones((5, 7), np.int64)
    kept[0, 3] = kept[1, 4:] = kept[2, :2] = kept[3] = 0
    return {
        "token_ids": random.integers(31, size=(5, 7)),
        "segment_ids": random.integers(4, size=(5, 7)),
        "padding_mask": kept,
    }


def random_weights(config):
    """In float64, every bit of them: no bias is 0, and every gamma is around 1."""
    random = np.random.default_rng(5)
    made = {}
    for name, shape in weight_shapes(config).items():
        centre, width = (1.0, 0.1) if name.endswith("gamma") else (0.0, 0.3)
        made[name] = random.normal(centre, width, shape)
    return made


def config_of(**changes):
    """The config of such a model."""
    return BertConfig(**SIZES | changes)
