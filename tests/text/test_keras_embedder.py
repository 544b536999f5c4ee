"""Pooling and normalisation from a Keras Hub embedder's task.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ModelFileError
from npbert.text.keras_embedder import read_keras_embedder
from npbert.text.sentence_transformers import Modules

from .tiny_model import write_json

EMBEDDER = "keras_hub>BertTextEmbedder"


def write(directory: Path, config: Any, name: str = EMBEDDER) -> Path:
    write_json(directory / "task.json", {"registered_name": name, "config": config})
    return directory


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
@pytest.mark.parametrize("normalize", [True, False])
def test_what_the_task_says(tmp_path: Path, mode: str, normalize: bool) -> None:
    write(tmp_path, {"name": "bert_text_embedder", "pooling_mode": mode, "normalize": normalize})
    steps = ("normalize",) if normalize else ()
    assert read_keras_embedder(tmp_path) == Modules((mode,), steps=steps)


def test_keras_hubs_defaults(tmp_path: Path) -> None:
    assert read_keras_embedder(write(tmp_path, {})) == Modules(("mean",), steps=("normalize",))


def test_no_embedder(tmp_path: Path) -> None:
    assert read_keras_embedder(tmp_path) is None
    assert read_keras_embedder(write(tmp_path, {}, "keras_hub>BertTextClassifier")) is None


@pytest.mark.parametrize(
    ("config", "what"),
    [
        (None, "the file has no config"),
        ([], "the file has no config"),
        ({"pooling_mode": "weightedmean"}, "pooling_mode among mean, cls, max"),
        ({"pooling_mode": ["mean"]}, "pooling_mode among mean, cls, max"),
        ({"normalize": "yes"}, "true or false as normalize"),
    ],
)
def test_a_damaged_task(tmp_path: Path, config: Any, what: str) -> None:
    with pytest.raises(ModelFileError, match=what) as caught:
        read_keras_embedder(write(tmp_path, config))
    assert caught.value.where == tmp_path / "task.json"
