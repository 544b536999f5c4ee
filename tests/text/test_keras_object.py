"""Saving what Keras Hub loads, and the table of presets."""

from __future__ import annotations

from pathlib import Path

import pytest

from npbert import BertBackbone
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.keras_object import KerasObject
from npbert.text.preprocessors import BertMaskedLMPreprocessor

from .keras_tokens import tokenizer


@pytest.mark.parametrize("kind", [BertTokenizer, BertMaskedLMPreprocessor])
def test_presets(kind: type[KerasObject]) -> None:
    assert kind.presets == BertBackbone.presets


def test_save_to_preset_makes_the_directory_and_leaves_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    tokenizer().save_to_preset(folder)
    (folder / "config.json").write_text('{"registered_name": "x"}')
    tokenizer(lowercase=True).save_to_preset(str(folder))
    assert "registered_name" in (folder / "config.json").read_text()
    assert BertTokenizer.from_preset(folder).settings.lowercase
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == [
        *("config.json", "tokenizer.json", "vocabulary.txt")
    ]


def test_the_object() -> None:
    saved = tokenizer().keras_object()
    assert saved["module"] == "keras_hub.src.models.bert.bert_tokenizer"
    assert saved["registered_name"] == "keras_hub>BertTokenizer"
    assert saved["config"] == tokenizer().get_config()
