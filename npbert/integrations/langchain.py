"""LangChain's ``Embeddings``."""

from __future__ import annotations

import os
from typing import Any

from langchain_core.embeddings import Embeddings

from npbert.tasks.embedder import Embedder


class NpbertEmbeddings(Embeddings):  # type: ignore[misc]
    """Vectors for LangChain's stores and retrievers.

    Args:
        model: a model's name, handle or directory.
        **settings: of `npbert.Embedder`.
    """

    def __init__(self, model: str | os.PathLike[str], **settings: Any) -> None:
        self.embedder = Embedder(model, **settings)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector a text, with the model's prompt for documents."""
        vectors: list[list[float]] = self.embedder.encode_document(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question, with the model's prompt for queries."""
        vector: list[float] = self.embedder.encode_query(text).tolist()
        return vector
