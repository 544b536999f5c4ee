"""How a Keras Hub preset of a BertTextEmbedder turns token vectors into a text's vector.

Source: keras_hub/src/models/bert/bert_text_embedder.py, ``BertTextEmbedder.get_config``, which
``save_to_preset`` writes to task.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from npbert.text.keras_files import config_of, is_class
from npbert.text.sentence_transformers import Modules
from npbert.weights.settings import boolean, damaged, read_settings

TASK: Final = "task.json"
POOLINGS: Final = ("mean", "cls", "max")


def read_keras_embedder(directory: Path) -> Modules | None:
    """Pooling and normalisation of the preset; None where it is no embedder's.

    Raises:
        ModelFileError: task.json is damaged.
    """
    path = directory / TASK
    task = read_settings(path)
    if not is_class(task, ("BertTextEmbedder",)):
        return None
    config = config_of(task, path)
    mode = config.get("pooling_mode", "mean")
    if mode not in POOLINGS:
        raise damaged(path, f"pooling_mode among {', '.join(POOLINGS)}", mode)
    normalize = boolean(config, "normalize", True, path)
    return Modules((mode,), steps=("normalize",) if normalize else ())
