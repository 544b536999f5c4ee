"""Chroma's ``EmbeddingFunction``."""

from __future__ import annotations

from typing import Any

from chromadb.api.types import Documents, EmbeddingFunction, Embeddings
from chromadb.utils.embedding_functions import register_embedding_function

from npbert.tasks.embedder import Embedder


@register_embedding_function
class NpbertEmbeddingFunction(EmbeddingFunction[Documents]):  # type: ignore[misc]
    """Vectors for Chroma's collections, which keep the name and the settings.

    Args:
        model: a model's name, handle or directory.
        **settings: of `npbert.Embedder`, plain values.
    """

    def __init__(self, model: str = "all-MiniLM-L6-v2", **settings: Any) -> None:
        self._config: dict[str, Any] = {"model": model, **settings}
        self._embedder = Embedder(model, **settings)

    def __call__(self, input: Documents) -> Embeddings:
        """One vector a document."""
        return list(self._embedder.encode_document(input))

    def embed_query(self, input: Documents) -> Embeddings:
        """One vector a question."""
        return list(self._embedder.encode_query(input))

    @staticmethod
    def name() -> str:
        """What Chroma calls it in a collection."""
        return "npbert"

    def get_config(self) -> dict[str, Any]:
        """What `build_from_config` needs."""
        return dict(self._config)

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> NpbertEmbeddingFunction:
        """The function that a collection was made with."""
        return NpbertEmbeddingFunction(**config)
