"""transformers' tokens: ``python -m live.hugging_face_tokens_worker transformers WORK SEED``.

Writes the directories into WORK, and beside each what ``AutoTokenizer`` makes of all the texts and
pairs: ``ids`` one after another and ``lengths``; of pairs ``segment_ids`` too, of some texts where
each token is in it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from live import token_directories, token_texts
from live.peers import save

from golden.cases import Arrays

PLACED = 2_000
"""Texts whose tokens' places are compared."""


def main(name: str, work: Path, seed: int) -> None:
    transformers.logging.set_verbosity_error()
    texts = token_texts.texts(seed)
    token_directories.write(work, seed, texts)
    pairs = token_directories.pairs(seed, texts)
    for directory in token_directories.NAMES:
        tokenizer = transformers.AutoTokenizer.from_pretrained(work / directory)
        save(work, f"{directory}@{name}", run(tokenizer, texts, pairs))


def run(tokenizer: Any, texts: list[str], pairs: list[tuple[str, str, int]]) -> Arrays:
    limit = token_directories.MAX_LENGTH
    singles = tokenizer(texts, truncation=True, max_length=limit).input_ids
    both = [
        tokenizer(first, second, truncation=True, max_length=limit, return_token_type_ids=True)
        for first, second, limit in pairs
    ]
    placed = tokenizer(texts[:PLACED], return_offsets_mapping=True, return_special_tokens_mask=True)
    return {
        **flat("texts", singles),
        **flat("pairs", [each.input_ids for each in both]),
        "segment_ids": flat("", [each.token_type_ids for each in both])[".ids"],
        "places": np.array([place for row in placed.offset_mapping for place in row]),
        "special": flat("", placed.special_tokens_mask)[".ids"],
        "roles": np.array([tokenizer.pad_token_id, tokenizer.mask_token_id, len(tokenizer)]),
    }


def flat(name: str, rows: list[list[int]]) -> Arrays:
    return {
        f"{name}.ids": np.array([id for row in rows for id in row], np.int32),
        f"{name}.lengths": np.array([len(row) for row in rows]),
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
