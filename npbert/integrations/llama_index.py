"""LlamaIndex's ``BaseEmbedding``."""

from __future__ import annotations

import os
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from npbert.tasks.embedder import Embedder


class NpbertEmbedding(BaseEmbedding):  # type: ignore[misc]
    """Vectors for LlamaIndex's indices.

    Args:
        model_name: a model's name, handle or directory.
        embed_batch_size: texts in one call.
        **settings: of `npbert.Embedder`.
    """

    _embedder: Embedder = PrivateAttr()

    def __init__(
        self, model_name: str | os.PathLike[str], embed_batch_size: int = 512, **settings: Any
    ) -> None:
        super().__init__(model_name=os.fspath(model_name), embed_batch_size=embed_batch_size)
        self._embedder = Embedder(model_name, **settings)

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it in files."""
        return "NpbertEmbedding"

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._embedder.encode_document(texts).tolist()
        return vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self._embedder.encode_query(query).tolist()
        return vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)
