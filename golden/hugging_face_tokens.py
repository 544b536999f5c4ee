"""transformers' tokens from directories that have a vocabulary and no tokenizer.json.

``hugging_face_tokens.json`` has the directories' files and, for the texts of tokens.json, the token
ids of each, special tokens included and at most `MAX_LENGTH`; equal rows are written once. The last
texts are taken in pairs too, with the segment of each token.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import transformers

from golden.bundles import provenance, read_json

MAX_LENGTH: Final = 23
PAIRED: Final = 60

_MASK: Final = {"content": "[MASK]", "lstrip": True, "normalized": False, "special": True}
DIRECTORIES: Final[dict[str, dict[str, Any]]] = {
    "nothing said": {},
    "cased": {"tokenizer_config.json": {"do_lower_case": False}},
    "accents kept": {"tokenizer_config.json": {"do_lower_case": True, "strip_accents": False}},
    "accents dropped": {"tokenizer_config.json": {"do_lower_case": False, "strip_accents": True}},
    "Chinese off": {"tokenizer_config.json": {"tokenize_chinese_chars": False}},
    "tokens added": {
        "tokenizer_config.json": {
            "added_tokens_decoder": {
                "4": {**_MASK, "rstrip": False, "single_word": False},
                "9000": {"content": "co op", "normalized": True, "special": False},
            },
            "extra_special_tokens": ["<|end|>"],
        }
    },
    "older files": {
        "tokenizer_config.json": {"do_lower_case": True},
        "special_tokens_map.json": {"mask_token": "<mask>", "pad_token": "[unused0]"},
        "added_tokens.json": {"Jumped": 9001, "New York": 9000},
    },
}


def run_all(work: Path) -> None:
    """Write ``work/out/hugging_face_tokens.json``; tokens.json must be there."""
    transformers.logging.set_verbosity_error()
    source = read_json(work / "out" / "tokens.json")
    texts = source["texts"]
    vocabulary = [token for token in source["vocabulary"] if _is_a_line(token)]
    rows: dict[str, int] = {}
    found = {}
    for number, (name, files) in enumerate(DIRECTORIES.items()):
        folder = write(work / f"tokens_{number}", vocabulary, files)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        found[name] = {"files": files, **run(tokenizer, texts, rows)}
    content = {
        "about": __doc__.splitlines()[0],
        "provenance": provenance(),
        "max_length": MAX_LENGTH,
        "vocabulary": vocabulary,
        "rows": [json.loads(row) for row in rows],
        "directories": found,
    }
    path = work / "out" / "hugging_face_tokens.json"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="ascii")


def write(folder: Path, vocabulary: list[str], files: dict[str, Any]) -> Path:
    """A directory of a BERT without weights."""
    folder.mkdir()
    content = "\n".join(vocabulary) + "\n"
    (folder / "vocab.txt").write_text(content, encoding="utf-8", newline="")
    for name, fields in {"config.json": {"model_type": "bert"}, **files}.items():
        (folder / name).write_text(json.dumps(fields))
    return folder


def run(tokenizer: Any, texts: list[str], rows: dict[str, int]) -> dict[str, list[int]]:
    """Which of the rows each text, each pair of neighbours and its segments are."""

    def number(row: list[int]) -> int:
        return rows.setdefault(json.dumps(row), len(rows))

    cut = {"truncation": True, "max_length": MAX_LENGTH}
    both = [tokenizer(*pair, **cut) for pair in pairwise(texts[-PAIRED:])]
    return {
        "texts": [number(row) for row in tokenizer(texts, **cut).input_ids],
        "pairs": [number(each.input_ids) for each in both],
        "segments": [number(each.token_type_ids) for each in both],
    }


def _is_a_line(token: str) -> bool:
    return token == token.rstrip() and not {"\n", "\r"} & set(token)
