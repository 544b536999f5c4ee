"""What the tests of tasks and their peers' processes agree upon."""

from __future__ import annotations

import numpy as np
from text.tiny_model import VOCABULARY

CLASSES = 6
PLACES = 5
PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")
ACTIVATIONS = ("linear", "softmax", "sigmoid", "tanh")
POLICIES = ("float16", "bfloat16", "mixed_bfloat16", "float64")
OF_MASKED_LM = ("float16", "bfloat16", "float64")
"""On TensorFlow, Keras Hub's masked LM of a mixed policy adds float32 to 16 bits: an error."""
TEXTS = [
    *("The river runs past an old stone mill.", "", "our house", "a, e; i!", "unknownword"),
    "the " * 40,
]
FIRST = ["the river", "old stone mill and bridge near our house", "a", "under the bridge", "Mill"]
SECOND = ["runs past an old mill", "the mill and the bridge near our house", "e", "", "mill, mill"]
PAIRS = list(zip(FIRST, SECOND, strict=True))
QUERY, DOCUMENTS = "old river", ["the mill", "stone", "our house", "bridge near the river", ""]
MASKED = [
    *("The [MASK] runs past.", "an old [MASK], and [MASK]!", "[MASK]", "our mill ##s [MASK]"),
    "the house [MASK] [MASK] [MASK]",
]


def inputs(seed: int) -> dict[str, np.ndarray]:
    """Holes, a masked first token, and a sequence of which nothing is kept."""
    random = np.random.default_rng([seed, 5])
    mask = (random.random((7, 9)) < 0.6).astype(np.int32)
    mask[0], mask[1], mask[2, :2] = 1, 0, [0, 1]
    return {
        "token_ids": random.integers(0, len(VOCABULARY), (7, 9)).astype(np.int32),
        "segment_ids": random.integers(0, 2, (7, 9)).astype(np.int32),
        "padding_mask": mask,
        "mask_positions": random.integers(0, 9, (7, PLACES)).astype(np.int32),
    }


def without_places(x: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a classifier takes."""
    return {name: array for name, array in x.items() if name != "mask_positions"}
