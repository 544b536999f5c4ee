"""sentence-transformers, as its users call it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import transformers
from sentence_transformers import SentenceTransformer

from npbert.bench.engines.base import F32, Engine, Setup


class SentenceTransformers(Engine):
    """``SentenceTransformer.encode``: texts only."""

    def load(self, setup: Setup) -> None:
        torch.set_num_threads(setup.threads)
        transformers.logging.disable_progress_bar()
        self._model = SentenceTransformer(str(setup.model), device="cpu")

    def settings(self) -> dict[str, str]:
        return {
            "max_seq_length": str(self._model.max_seq_length),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        }

    def load_texts(self, setup: Setup) -> None:
        """Nothing more: the model has its tokenizer."""

    def encode(self, texts: Sequence[str], batch_size: int) -> F32:
        return self._model.encode(list(texts), batch_size=batch_size, show_progress_bar=False)
