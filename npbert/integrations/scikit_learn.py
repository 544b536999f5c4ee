"""A transformer of scikit-learn: texts in, one row of features a text out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from npbert.tasks.embedder import Embedder


class NpbertVectorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """As ``TfidfVectorizer``, with the vectors of a BERT. There is nothing to fit.

    Args:
        model: a model's name, handle or directory; loaded when first used.
        normalize: whether vectors get length 1; None does what the model says.
    """

    def __init__(
        self, model: str | os.PathLike[str] = "all-MiniLM-L6-v2", normalize: bool | None = None
    ) -> None:
        self.model = model
        self.normalize = normalize

    def fit(self, X: Iterable[str], y: object = None) -> Self:
        """Load the model."""
        self.embedder_ = Embedder(self.model)
        return self

    def transform(self, X: Iterable[str]) -> NDArray[np.float32]:
        """Texts to (n, D)."""
        if not hasattr(self, "embedder_"):
            self.fit(X)
        return self.embedder_.encode(X, normalize_embeddings=self.normalize)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """``npbert0``, ``npbert1``, ..."""
        return np.array([f"npbert{i}" for i in range(self.transform([]).shape[1])], object)
