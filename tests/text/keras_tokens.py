"""What Keras Hub made of the texts in golden/tokens.json, and a small preset of its format."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from npbert.text.bert_tokenizer import BertTokenizer

GOLDEN = Path(__file__).parents[2] / "golden" / "tokens.json"

WORDS = ["the", "quick", "brown", "fox", "jumped", "over", "an", "old", "stone", ".", ","]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##es", "##s", "strasse", "é"]
PAD, UNK, CLS, SEP, MASK = range(5)


@cache
def golden() -> dict[str, Any]:
    """The file, read once."""
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def tokenizer(**settings: Any) -> BertTokenizer:
    """Over `VOCABULARY`."""
    return BertTokenizer(VOCABULARY, **settings)


def ids(*tokens: str) -> list[int]:
    """Their places in `VOCABULARY`."""
    return [VOCABULARY.index(token) for token in tokens]


def write_saved(directory: Path, files: dict[str, str]) -> Path:
    """Files that Keras Hub saved, as a directory."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return directory


def saved_files(index: int = 0) -> dict[str, str]:
    """The files of one of the presets that Keras Hub saved."""
    return dict(golden()["saved"][index]["files"])


def change_json(path: Path, **fields: Any) -> None:
    """Change fields of the object's config."""
    content = json.loads(path.read_text())
    content["config"].update(fields)
    path.write_text(json.dumps(content))
