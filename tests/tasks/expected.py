"""Texts, and their vectors by the definitions of `npbert.ops`, in float64."""

from __future__ import annotations

import numpy as np
from text.tiny_model import CONFIG, WORDS

from npbert import Embedder, reference
from npbert.ops.pooling import POOLINGS, l2_normalize

TEXTS = [
    *("the river runs", "", "our house near the old bridge", "a", "mill stone mill stone mill"),
    *("past", "the old mill and the river", "unknownword, and more"),
]
LONG = " ".join(WORDS)  # 14 tokens of its own


def pooled(embedder: Embedder, ids: np.ndarray, modes: list[str], skip: int = 0) -> np.ndarray:
    """A sequence's vector by the definitions of `npbert.ops`, in float64."""
    weights = {name: w.astype(np.float64) for name, w in embedder.backbone.weights()}
    batch = ids[None]
    states = reference.forward(CONFIG, weights, batch, 0 * batch, 0 * batch + 1)
    rows, starts = states["sequence_output"][0], np.array([0, len(ids)])
    return np.concatenate([POOLINGS[mode](rows, starts, skip)[0] for mode in modes])


def expected(embedder: Embedder, texts: list[str]) -> np.ndarray:  # (B, D) float64
    encoded = embedder.tokenizer.encode(texts, embedder.max_seq_length)
    vectors = np.array([pooled(embedder, ids, [embedder.pooling]) for ids in encoded.ids])
    return l2_normalize(vectors) if embedder.normalize else vectors
