"""A source of texts that can be got wrong: tokenizer, tiny model, pooling, and their settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from parity import faulty

from npbert import reference
from npbert.config import BertConfig
from npbert.parity.types import Array, Inputs, Stages, Tokens
from npbert.text.bert_tokenizer import BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [
    *("the", "old", "mill", "The", "Mill", "cafe", "café", "river", "by", "東", "京", "東京"),
    *(":", ",", "query", "passage", "naïve", "naive"),
]
VOCABULARY = [*SPECIAL, *WORDS, *(f"{i}" for i in range(53 - len(SPECIAL) - len(WORDS)))]
TEXTS = [
    "the old mill",
    "The old Mill by the river",
    "a café, naïve",
    "東京 by the river",
    "old mill by the old mill by the old mill",
    "query the river",
]
CONFIG = dataclasses.replace(faulty.CONFIG, num_layers=2, activation="gelu")


@dataclasses.dataclass
class TextSide:
    """Everything as the model means it, unless told otherwise."""

    weights_: Mapping[str, Array]
    name: str = "texts"
    kind: str = "test"
    config: BertConfig | None = CONFIG
    recorded: Inputs | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lowercase: bool = True
    strip_accents: bool = True
    split_on_cjk: bool = True
    limit: int = 12
    prompt: str = ""
    special: bool = True
    pooling: str = "mean"
    normalized: bool = True
    padded_to: int | None = None
    """Padding that is attended to, and pooled over."""
    activation: str = "gelu"
    shows: Sequence[str] = ("sequence_output", "text.pooling", "text.vector")

    def weights(self) -> Mapping[str, Array] | None:
        return self.weights_ if "sequence_output" in self.shows else None

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        return self._tokens(texts) if "sequence_output" in self.shows else None

    def _tokens(self, texts: Sequence[str]) -> Tokens:
        tokenizer = BertTokenizer(
            VOCABULARY,
            lowercase=self.lowercase,
            strip_accents=self.strip_accents,
            split_on_cjk=self.split_on_cjk,
        )
        encoded = tokenizer.encode([self.prompt + text for text in texts], self.limit)
        ids = [list(map(int, row)) for row in encoded.ids]
        ids = ids if self.special else [row[1:-1] for row in ids]
        return Tokens(ids, [[VOCABULARY[i] for i in row] for row in ids])

    def run(self, inputs: Inputs) -> Stages:
        config = dataclasses.replace(CONFIG, activation=self.activation)
        outputs = reference.forward(config, self.weights_, **inputs)
        return {stage: outputs[stage] for stage in outputs if stage in self.shows}

    def encode(self, texts: Sequence[str]) -> Stages | None:
        pooled = np.stack([self._pooled(ids) for ids in self._tokens(texts).ids])
        lengths = np.linalg.norm(pooled, axis=1, keepdims=True) if self.normalized else 1
        shown = {"text.pooling": pooled, "text.vector": (pooled / lengths).astype(np.float32)}
        return {stage: array for stage, array in shown.items() if stage in self.shows}

    def _pooled(self, ids: Sequence[int]) -> Array:
        row = np.array([[*ids, *[0] * ((self.padded_to or len(ids)) - len(ids))]])
        inputs = {"token_ids": row, "segment_ids": 0 * row, "padding_mask": 0 * row + 1}
        config = dataclasses.replace(CONFIG, activation=self.activation)
        x = reference.forward(config, self.weights_, **inputs)["sequence_output"][0]
        return {"mean": x.mean(axis=0), "cls": x[0], "max": x.max(axis=0)}[self.pooling]


def weights() -> dict[str, Array]:
    """Of `CONFIG`."""
    return faulty.draw_weights(np.random.default_rng(3), CONFIG)
