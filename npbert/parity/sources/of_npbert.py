"""npbert itself: any model that it loads, in any of its dtypes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from npbert.backbone import BertBackbone
from npbert.parity.sources.base import Base, split_off, versions
from npbert.parity.types import Array, Inputs, Stages, Tokens
from npbert.presets.directory import kind_of
from npbert.tasks.embedder import Embedder
from npbert.tasks.model_files import TextSide, read_tokenizer
from npbert.tasks.saved_embedder import modules_in
from npbert.text.tokenizer import Token, Tokenizer


class NpbertSource(Base):
    """A backbone, with the tokenizer and the pooling of its directory.

    Args:
        backbone: the model.
        name: as the user wrote it.
        text_side: None for a model without tokenizer; it has stages alone.
        pools: whether its files say how to make one vector of a text.
    """

    kind = "npbert"

    def __init__(
        self,
        backbone: BertBackbone,
        name: str = "npbert",
        *,
        text_side: TextSide | None = None,
        pools: bool = False,
    ) -> None:
        super().__init__(name, config=backbone.config, environment=_environment(backbone))
        self.backbone, self.text_side, self._pools = backbone, text_side, pools

    def weights(self) -> dict[str, Array]:
        return dict(self.backbone.weights())

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        if self.text_side is None:
            return None
        return tokens_of(self.text_side.tokenizer, texts, self.text_side.limit.value)

    def run(self, inputs: Inputs) -> Stages:
        return self.backbone.run_with_cache(inputs)[1]

    def encode(self, texts: Sequence[str]) -> Stages | None:
        if self.text_side is None or not self._pools:
            return None
        modules = self.text_side.modules
        alone = self.text_side._replace(modules=modules._replace(steps=(), truncate_dim=None))
        return {
            "text.pooling": self._vectors(alone, texts),
            "text.vector": self._vectors(self.text_side, texts),
        }

    def _vectors(self, text_side: TextSide, texts: Sequence[str]) -> Array:
        embedder = Embedder._from_parts(self.backbone, text_side)
        return embedder.encode(list(texts), on_truncate="ignore", show_progress_bar=False)


def open_source(rest: str, name: str) -> NpbertSource:
    """``MODEL[@DTYPE]``"""
    preset, dtype = split_off(rest, "@")
    backbone = BertBackbone.from_preset(preset, dtype=dtype)
    path = backbone.path
    if path is None or not path.is_dir():
        return NpbertSource(backbone, name)
    kind = kind_of(path)
    if kind == "keras" and not (path / "tokenizer.json").exists():
        return NpbertSource(backbone, name)
    if kind == "hugging_face" and not has_tokenizer(path):
        return NpbertSource(backbone, name)
    modules = modules_in(path, kind, backbone.config)
    tokenizer, limit = read_tokenizer(path, kind, backbone.config, None)
    masked = tokenizer.pad_token_id if kind == "keras" else None
    text_side = TextSide(tokenizer, modules, limit, masked)
    pools = modules.stated or kind == "hugging_face"
    source = NpbertSource(backbone, name, text_side=text_side, pools=pools)
    if pools and not modules.stated:
        source.notes.append(f"{name} says nothing of pooling: the mean of the tokens is taken")
    return source


def has_tokenizer(directory: Path) -> bool:
    """Whether a Hugging Face directory has a tokenizer's files."""
    return any((directory / file).exists() for file in ("tokenizer.json", "vocab.txt"))


def tokens_of(tokenizer: Tokenizer, texts: Sequence[str], limit: int) -> Tokens:
    """What one of npbert's tokenizers makes of texts."""
    rows: list[list[Token]] = [tokenizer.tokens(text, limit) for text in texts]
    return Tokens(
        ids=[[token.id for token in row] for row in rows],
        tokens=[[token.token for token in row] for row in rows],
        offsets=[[(token.start, token.end) for token in row] for row in rows],
        segment_ids=[[token.segment for token in row] for row in rows],
    )


def _environment(backbone: BertBackbone) -> dict[str, str]:
    package: Any = sys.modules["npbert"]  # which imports this part, not the other way round
    return {
        "npbert": package.__version__,
        "numerics": str(package.NUMERICS),
        "dtype": backbone.dtype_policy.name,
        "threads": str(backbone.num_threads),
        "numpy": np.__version__,
        **versions("numba"),
    }
