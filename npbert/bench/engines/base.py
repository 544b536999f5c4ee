"""What every engine can do, in the process that is its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.bench.works import TEXT_LIMIT, Batch, Ids, sorted_batches

F32 = NDArray[np.float32]


class Setup(NamedTuple):
    """What an engine loads.

    Args:
        model: a directory in Hugging Face's format.
        threads: how many it may use.
        activation: replaces the model's GELU, unless it is None.
        scratch: where to keep what it converts; all engines of one run share it.
    """

    model: Path
    threads: int
    activation: str | None
    scratch: Path

    @property
    def kept(self) -> Path:
        """The folder in ``scratch`` for what is made of this model."""
        folder = self.scratch / f"{self.model.name}-converted"
        folder.mkdir(exist_ok=True)
        return folder


def keras_inputs(batch: Batch) -> dict[str, Ids]:
    """A batch under the names of Keras Hub, which are npbert's too: (B, T) each."""
    segments = np.zeros_like(batch.ids)
    return {"token_ids": batch.ids, "segment_ids": segments, "padding_mask": batch.mask}


class Engine:
    """A library that runs one model; the default is to run batch after batch."""

    def load(self, setup: Setup) -> None:
        """Read the model. Called once, before all else."""
        raise NotImplementedError

    def settings(self) -> dict[str, str]:
        """What was chosen, and what came of it: for the record."""
        return {}

    def prepare(self, batches: Sequence[Batch]) -> list[Any]:
        """The batches as the library likes them. Its time is not measured."""
        return [self.feed(batch) for batch in batches]

    def feed(self, batch: Batch) -> Any:
        """One batch as the library likes it."""
        raise NotImplementedError

    def run(self, feeds: Sequence[Any]) -> list[F32]:
        """``sequence_output`` (B, T, D) of each: what is measured."""
        return [self.call(feed) for feed in feeds]

    def call(self, feed: Any) -> F32:
        """``sequence_output`` (B, T, D) of one."""
        raise NotImplementedError

    # -- texts -----------------------------------------------------------------------------------

    def load_texts(self, setup: Setup) -> None:
        """Be ready for `encode`: by default, the model's tokenizer and mean pooling."""
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(setup.model / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(TEXT_LIMIT)

    def encode(self, texts: Sequence[str], batch_size: int) -> F32:
        """Vectors of length 1, (n, D): texts of like length together, the mean of each's tokens."""
        encoded = self._tokenizer.encode_batch_fast(list(texts))
        ids = [np.array(each.ids, np.int32) for each in encoded]
        batches = sorted_batches(ids, batch_size)
        outputs = self.run(self.prepare(batches))
        vectors = np.empty((len(texts), outputs[0].shape[-1]), np.float32)
        for batch, hidden in zip(batches, outputs, strict=True):
            weights = batch.mask / batch.mask.sum(axis=1, keepdims=True)
            # (B, 1, T) @ (B, T, D) -> (B, 1, D)
            vectors[batch.texts] = (weights[:, None].astype(np.float32) @ hidden)[:, 0]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
