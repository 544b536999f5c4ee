"""Keras Hub's tasks: ``python -m live.tasks_keras_worker tensorflow WORK SEED``.

Loads what npbert left in WORK, and saves it again; makes and saves random tasks of its own. Of all
of them it leaves the outputs.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
from live.peers import load, save
from live.tasks_shared import (
    ACTIVATIONS,
    CLASSES,
    FIRST,
    OF_MASKED_LM,
    POLICIES,
    SECOND,
    TEXTS,
    without_places,
)
from text.tiny_model import VOCABULARY

models = keras_hub.models


def main(work: Path) -> None:
    inputs = load(work, "inputs")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # of variables that Keras does not find
        for activation in ACTIVATIONS:
            name = f"classifier_{activation}"
            leave(work, name, models.TextClassifier.from_preset(str(work / name)), inputs)
        leave(work, "masked_lm", models.MaskedLM.from_preset(str(work / "masked_lm")), inputs)
    for policy in POLICIES:
        save(work, f"{policy}@tensorflow", in_policy(work, policy, inputs))
    for name, task in made().items():
        leave(work, name, task, inputs)


def leave(work: Path, name: str, task: Any, inputs: dict[str, np.ndarray]) -> None:
    """A task's outputs, and the task as Keras Hub saves it."""
    task.save_to_preset(str(work / f"{name}_again"))
    task.save(str(work / f"{name}.keras"))
    if isinstance(task, models.BertMaskedLM):
        save(work, f"{name}@tensorflow", {"ids": np.asarray(task(inputs))})
        return
    found = {
        "ids": task(without_places(inputs)),
        "texts": task.predict(TEXTS, verbose=0),
        "pairs": task.predict((FIRST, SECOND), verbose=0),
    }
    save(work, f"{name}@tensorflow", {key: np.asarray(value) for key, value in found.items()})


def in_policy(work: Path, policy: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs of tasks of this policy, as float64, and the dtype that they came in."""
    preset = str(work / "classifier_softmax")
    classifier = models.TextClassifier.from_preset(preset, dtype=policy)
    embedder, x = models.BertTextEmbedder(classifier.backbone), without_places(inputs)
    found = {"classifier": classifier(x), "embedder": embedder(x)}
    if policy in OF_MASKED_LM:
        masked_lm = models.MaskedLM.from_preset(str(work / "masked_lm"), dtype=policy)
        found["masked_lm"] = masked_lm(inputs)
    (dtype,) = {each.dtype.name for each in found.values()}
    return {name: np.float64(each) for name, each in found.items()} | {"dtype": np.array(dtype)}


def made() -> dict[str, Any]:
    """Tasks that Keras Hub makes, with weights of order 1."""
    keras.utils.set_random_seed(int(sys.argv[3]))
    tokenizer = models.BertTokenizer(VOCABULARY, lowercase=True)
    sizes = {"hidden_dim": 24, "intermediate_dim": 31, "max_sequence_length": 17}
    backbone = models.BertBackbone(len(VOCABULARY), 2, 3, **sizes)
    of_classifier = models.BertTextClassifierPreprocessor(
        tokenizer, sequence_length=11, truncate="waterfall"
    )
    of_masked_lm = models.BertMaskedLMPreprocessor(tokenizer, sequence_length=13)
    tasks = {
        "made_classifier": models.BertTextClassifier(backbone, CLASSES, of_classifier),
        "made_masked_lm": models.BertMaskedLM(backbone, of_masked_lm),
    }
    for task in tasks.values():
        for variable in task.weights:
            if variable.path.endswith(("kernel", "bias", "embeddings", "beta")):
                variable.assign(keras.random.normal(variable.shape, stddev=0.3))
    return tasks


if __name__ == "__main__":
    main(Path(sys.argv[2]))
