"""transformers' tokens from a vocabulary alone, as golden/hugging_face_tokens.json has them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from npbert.text.checks import Text
from npbert.text.tokenizer import load_tokenizer

from .tiny_model import write_json

GOLDEN = Path(__file__).parents[2] / "golden"
TOKENS: dict[str, Any] = json.loads((GOLDEN / "hugging_face_tokens.json").read_text())
TEXTS: list[str] = json.loads((GOLDEN / "tokens.json").read_text())["texts"]


@pytest.mark.parametrize("name", TOKENS["directories"])
def test_the_tokens_are_transformers(tmp_path: Path, name: str) -> None:
    golden = TOKENS["directories"][name]
    vocabulary = "\n".join(TOKENS["vocabulary"]) + "\n"
    (tmp_path / "vocab.txt").write_text(vocabulary, encoding="utf-8", newline="")
    for file, fields in golden["files"].items():
        write_json(tmp_path / file, fields)
    pairs = pairwise(TEXTS[-len(golden["pairs"]) - 1 :])
    inputs: list[Text] = [*TEXTS, *pairs]
    found = load_tokenizer(tmp_path, "hugging_face").encode(inputs, TOKENS["max_length"])
    for text, ids, row in zip(inputs, found.ids, [*golden["texts"], *golden["pairs"]], strict=True):
        assert ids.tolist() == TOKENS["rows"][row], text
    segments = [TOKENS["rows"][row] for row in golden["segments"]]
    assert [each.tolist() for each in found.segment_ids[len(TEXTS) :]] == segments
