"""CTranslate2's Encoder in float32. It takes padding out by itself, given the lengths."""

from __future__ import annotations

import os
from typing import Any

import ctranslate2
import numpy as np

from npbert.bench.engines.base import F32, Engine, Setup
from npbert.bench.engines.convert import converted
from npbert.bench.works import Batch


class CTranslate2(Engine):
    """One encoder, all threads on one batch."""

    def load(self, setup: Setup) -> None:
        self._encoder: Any = ctranslate2.Encoder(
            str(converted(setup, "ctranslate2")),
            device="cpu",
            compute_type="float32",
            intra_threads=setup.threads,
            inter_threads=1,
        )

    def settings(self) -> dict[str, str]:
        forced = os.environ.get("CT2_FORCE_CPU_ISA", "as it finds")
        return {"compute_type": str(self._encoder.compute_type), "isa": forced}

    def feed(self, batch: Batch) -> Any:
        arrays = (np.ascontiguousarray(batch.ids), batch.mask.sum(axis=1, dtype=np.int32))
        views = [ctranslate2.StorageView.from_array(array) for array in arrays]
        return (*views, arrays)  # a view does not keep its array alive

    def call(self, feed: Any) -> F32:
        output = self._encoder.forward_batch(feed[0], feed[1])
        return np.asarray(output.last_hidden_state)
