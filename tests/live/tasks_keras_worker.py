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
from live.tasks_shared import ACTIVATIONS, CLASSES, FIRST, SECOND, TEXTS, without_places
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
