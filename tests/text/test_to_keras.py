"""Keras Hub's tokenizer files from a Hugging Face directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, models, normalizers, pre_tokenizers

from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.hugging_face_tokenizer import HuggingFaceTokenizer
from npbert.text.to_keras import keras_tokenizer_files

from . import tiny_model
from .tiny_model import VOCABULARY, write_json

FILES = {"tokenizer.json", "assets/tokenizer/vocabulary.txt"}


def write(directory: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return directory


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        ({}, {"lowercase": True, "strip_accents": True}),
        ({"do_lower_case": False}, {"lowercase": False, "strip_accents": False}),
        ({"strip_accents": False}, {"lowercase": True, "strip_accents": False}),
        ({"tokenize_chinese_chars": False}, {"split_on_cjk": False}),
    ],
)
def test_options(tmp_path: Path, config: dict[str, Any], settings: dict[str, bool]) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    write_json(tmp_path / "tokenizer_config.json", config)
    files = keras_tokenizer_files(tmp_path)
    assert set(files) == FILES
    saved = json.loads(files["tokenizer.json"])
    assert saved["registered_name"] == "keras_hub>BertTokenizer"
    assert saved["config"].items() >= settings.items()
    assert saved["config"]["special_tokens_in_strings"] is True


def test_the_same_tokens(tmp_path: Path) -> None:
    tiny_model.tokenizer().save(str(tmp_path / "tokenizer.json"))
    files = keras_tokenizer_files(tmp_path)
    keras = BertTokenizer.from_preset(write(tmp_path / "keras", files))
    texts = ["The RIVER runs, past [MASK] mills", "", ("éa eo", "the mill [SEP] house")]
    ours = HuggingFaceTokenizer.from_directory(tmp_path).encode(texts, 17)
    theirs = keras.encode(texts, 17)
    assert [ids.tolist() for ids in ours.ids] == [ids.tolist() for ids in theirs.ids]
    assert keras.get_vocabulary() == VOCABULARY


def change(library: Any, part: str) -> None:
    ids = {token: i for i, token in enumerate(VOCABULARY)}
    match part:
        case "model":
            library.model = models.WordLevel(ids, unk_token="[UNK]")
        case "prefix":
            library.model = models.WordPiece(ids, unk_token="[UNK]", continuing_subword_prefix="@@")
        case "normalizer":
            library.normalizer = normalizers.Lowercase()
        case "pre_tokenizer":
            library.pre_tokenizer = pre_tokenizers.Whitespace()
        case "added":
            library.add_tokens([AddedToken("old mill", single_word=True)])


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("model", "it has a WordLevel, not a WordPiece"),
        ("prefix", "its suffixes begin with '@@', not '##'"),
        ("normalizer", "it has a Lowercase, not a BertNormalizer"),
        ("pre_tokenizer", "it has a Whitespace, not a BertPreTokenizer"),
        ("added", "it keeps other tokens whole: old mill"),
    ],
)
def test_what_keras_hub_has_no_option_for(tmp_path: Path, part: str, reason: str) -> None:
    library = tiny_model.tokenizer()
    change(library, part)
    library.save(str(tmp_path / "tokenizer.json"))
    with pytest.warns(UserWarning, match=f"Keras Hub gets no tokenizer, for {reason}"):
        assert keras_tokenizer_files(tmp_path) == {}


def test_other_special_tokens(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join([*VOCABULARY, "<mask>"]) + "\n")
    write_json(tmp_path / "tokenizer_config.json", {"mask_token": "<mask>"})
    with pytest.warns(UserWarning, match=r"its special tokens are not \[CLS\], \[SEP\]"):
        assert keras_tokenizer_files(tmp_path) == {}


def test_a_vocabulary_that_keras_hub_cannot_have(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join([*VOCABULARY, "the"]) + "\n")
    with pytest.warns(UserWarning, match="Keras Hub gets no tokenizer, for "):
        assert keras_tokenizer_files(tmp_path) == {}


def test_no_tokenizer(tmp_path: Path) -> None:
    assert keras_tokenizer_files(tmp_path) == {}
