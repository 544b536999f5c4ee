"""Keras Hub's numbers, on one backend: ``python -m live.keras_worker BACKEND WORK SEED``.

Leaves in WORK, for every drawn case: a preset directory that ``save_to_preset`` wrote, the outputs
of its model, and the token table's; the sentence vectors of the texts; and what the documentation's
examples and the wrong inputs gave.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import keras_hub
import numpy as np
from live import drawn, examples, minilm, mistakes
from live.peers import load, save

from golden.cases import Arrays
from golden.keras_side import make_backbone, run, to_numpy

WIDTHS = {"tensorflow": ("float32", "float64"), "jax": ("float32",)}
"""float64 from TensorFlow alone: JAX's policy of that name computes in float32."""


def main(backend: str, work: Path, seed: int) -> None:
    for case in drawn.keras_cases(seed):
        built = drawn.build(case)
        folder = work / f"{case.name}@{backend}"
        save(work, folder.name, run_case(folder, built, WIDTHS[backend]))
    save(work, f"minilm@{backend}", {"vectors": sentence_vectors(work)})
    described: dict[str, Any] = {
        "mistakes": mistakes.run(keras_hub),
        "empty_batch": mistakes.empty_batch(keras_hub),
    }
    if backend == "tensorflow":  # the same on every backend, and JAX compiles each model for long
        described |= describe(work / "stand_in")
    (work / f"described@{backend}.json").write_text(json.dumps(described))


def run_case(folder: Path, built: drawn.Built, widths: tuple[str, ...]) -> Arrays:
    """Outputs in each width; in float32 also the preset, and what else the model shows."""
    found: Arrays = {}
    for dtype in widths:
        model = make_backbone(built.case.config, built.weights, dtype)
        outputs = run(model, built.inputs)
        assert all(array.dtype == dtype for array in outputs.values())
        found |= {f"{dtype}.{name}": array for name, array in outputs.items()}
        if dtype == "float32":
            model.save_to_preset(str(folder))
            found |= token_embedding(model, built, outputs["sequence_output"])
            found["count_params"] = np.array(model.count_params())
            found["paths"] = np.array([variable.path for variable in model.weights])
    return found


def token_embedding(model: Any, built: drawn.Built, sequence: np.ndarray[Any, Any]) -> Arrays:
    embedded = model.token_embedding(built.inputs["token_ids"])
    logits = model.token_embedding(sequence, reverse=True)
    return {"token_embedding": to_numpy(embedded), "logits": to_numpy(logits)}


def sentence_vectors(work: Path) -> np.ndarray[Any, Any]:
    """The texts through ``BertTextEmbedder`` over the directory that Keras's converter reads."""
    backbone = keras_hub.models.BertBackbone.from_preset(str(minilm.model_dir()))
    embedder = keras_hub.models.BertTextEmbedder(
        backbone, preprocessor=None, pooling_mode="mean", normalize=True
    )
    return to_numpy(embedder(load(work, "minilm@inputs")))


def describe(stand_in: Path) -> dict[str, Any]:
    """What the documentation's examples make, and the built-in presets' sizes."""
    keras_hub.models.BertBackbone(**examples.STAND_IN).save_to_preset(str(stand_in))
    codes = {"documented": examples.documented(keras_hub), "more": examples.MORE}
    presets = keras_hub.models.BertBackbone.presets
    return {
        "codes": codes,
        "made": {name: examples.run_code(keras_hub, c, stand_in) for name, c in codes.items()},
        "presets": {name: preset["metadata"]["params"] for name, preset in presets.items()},
    }


if __name__ == "__main__":
    # Keras warns of every softmax over one key.
    warnings.filterwarnings("ignore", message="You are using a softmax over axis")
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
