"""``npbert tokenize``."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.tiny_keras import FIELDS, preprocessor

from npbert import BertBackbone, BertTokenizer, Embedder

from .conftest import Npbert


def test_tokens_with_their_characters(npbert: Npbert, model: Path) -> None:
    done = npbert("tokenize", "-m", model, "The old mill [x]")
    assert done.code == 0
    rows = [line.split("│")[1:-1] for line in done.out.splitlines() if line.startswith("│")]
    tokens = [[cell.strip() for cell in row] for row in rows]
    assert tokens[0][1] == "[CLS]"
    assert tokens[1][1:] == ["the", tokens[1][2], "0:3"]
    assert tokens[-1][1] == "[SEP]"
    assert "the model reads 11 at most (" in done.out


def test_what_is_cut_off(npbert: Npbert, model: Path) -> None:
    done = npbert("tokenize", "-m", model, "--max-seq-length", 5, "the mill the mill")
    assert "6 tokens; the model reads 5 at most" in done.out
    assert "so that 1 are cut off" in done.out


def test_ids(npbert: Npbert, model: Path) -> None:
    texts = ["the mill", "", "the river runs " * 9]
    done = npbert("tokenize", "-m", model, "--ids", *texts)
    expected = Embedder(model).tokenizer.encode(texts, 11).ids
    assert [json.loads(line) for line in done.out.splitlines()] == [
        ids.tolist() for ids in expected
    ]


def test_a_built_in_name_without_files(npbert: Npbert) -> None:
    done = npbert("tokenize", "-m", "bert_base_en", "the mill")
    assert done.code == 1
    assert "npbert download bert_base_en" in done.err


def test_a_preset_of_keras_hub(npbert: Npbert, tmp_path: Path) -> None:
    preprocessor().tokenizer.save_to_preset(tmp_path)
    BertBackbone(**FIELDS).save_to_preset(tmp_path)
    done = npbert("tokenize", "-m", tmp_path, "--ids", "the mill")
    assert done.code == 0
    tokenizer = BertTokenizer.from_preset(tmp_path)
    assert json.loads(done.out)[1:-1] == tokenizer("the mill").tolist()
