"""npbert itself: through its public API, like anybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import npbert
from npbert.bench.engines.base import F32, Engine, Setup, keras_inputs
from npbert.bench.works import TEXT_LIMIT, Batch
from npbert.simd import isa


class Npbert(Engine):
    """`BertBackbone` and `Embedder`. Inputs are checked, and the pooler runs, inside the time.

    Args:
        dtype: of the model.
    """

    def __init__(self, dtype: str = "float32") -> None:
        self._dtype = dtype

    def load(self, setup: Setup) -> None:
        overrides: dict[str, Any] = (
            {} if setup.activation is None else {"activation": setup.activation}
        )
        self._model = npbert.BertBackbone.from_preset(
            setup.model, num_threads=setup.threads, dtype=self._dtype, **overrides
        )
        self._model.prepare()

    def settings(self) -> dict[str, str]:
        return {
            "kernels": isa.current().name,
            "numerics": str(npbert.NUMERICS),
            "activation": self._model.config.activation,
            "dtype": self._model.dtype_policy.name,
        }

    def feed(self, batch: Batch) -> Any:
        return keras_inputs(batch)

    def call(self, feed: Any) -> F32:
        return self._model(feed, skip_padding=True)["sequence_output"]

    def load_texts(self, setup: Setup) -> None:
        limit = min(TEXT_LIMIT, self._model.config.max_sequence_length)
        self._embedder = npbert.Embedder(self._model, max_seq_length=limit)
        self._embedder.prepare()

    def encode(self, texts: Sequence[str], batch_size: int) -> F32:
        return self._embedder.encode(texts, batch_size=batch_size, show_progress_bar=False)
