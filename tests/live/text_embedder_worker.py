"""Keras Hub's BertTextEmbedder: ``python -m live.text_embedder_worker jax WORK SEED``.

Loads the presets that npbert left in WORK, leaves there what Keras Hub computes from each, and the
presets as Keras Hub saves them again, as directories and as archives.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras_hub
import numpy as np
from live.peers import load, save
from live.test_text_embedder import CASES, POLICIES, TEXTS


def main(name: str, work: Path) -> None:
    inputs = load(work, "inputs")
    found: dict[str, np.ndarray] = {}
    for case in CASES:
        embedder = keras_hub.models.TextEmbedder.from_preset(str(work / case))
        assert type(embedder) is keras_hub.models.BertTextEmbedder
        found[f"{case}.texts"] = np.asarray(embedder.encode_text(TEXTS, verbose=0))
        found[f"{case}.one"] = np.asarray(embedder.encode_documents(TEXTS[0], verbose=0))
        found[f"{case}.ids"] = np.asarray(embedder(inputs))
        pairs = embedder.similarity(found[f"{case}.texts"], found[f"{case}.one"])
        found[f"{case}.similarity"] = np.asarray(pairs)
        embedder.save_to_preset(str(work / f"{case}, again"))
        embedder.save(str(work / f"{case}.keras"))
    inputs = load(work, "many_inputs")
    for policy in POLICIES:
        embedder = keras_hub.models.TextEmbedder.from_preset(str(work / "mean, True"), dtype=policy)
        vectors = embedder(inputs)
        alike = embedder.similarity(vectors, vectors)
        found[f"{policy}.ids"] = np.float64(vectors)
        found[f"{policy}.dtypes"] = np.array([vectors.dtype.name, alike.dtype.name])
    save(work, f"embedder@{name}", found)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
