"""PyTorch: transformers' BertModel, op by op, with fused attention, and compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers

from npbert.bench.engines import TANH
from npbert.bench.engines.base import F32, Engine, Setup
from npbert.bench.works import Batch


class Torch(Engine):
    """One of the three ways.

    Args:
        how: "eager", "sdpa" or "compile".
        width: "float32", or "float64" for the truth.
    """

    def __init__(self, how: str, width: str = "float32") -> None:
        self._how, self._width = how, width

    def load(self, setup: Setup) -> None:
        torch.set_num_threads(setup.threads)
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        config = transformers.AutoConfig.from_pretrained(setup.model)
        if setup.activation == TANH:
            config.hidden_act = "gelu_pytorch_tanh"
        self._model: Any = transformers.AutoModel.from_pretrained(
            setup.model,
            config=config,
            dtype=getattr(torch, self._width),
            attn_implementation="eager" if self._how == "eager" else "sdpa",
            add_pooling_layer=False,
        ).eval()
        self._runs = {False: self._model, True: self._model}  # by whether shapes vary
        if self._how == "compile":
            from torch._inductor import config as inductor

            inductor.freezing = True
            self._runs = {d: torch.compile(self._model, dynamic=d) for d in (False, True)}
        self._vary = False

    def settings(self) -> dict[str, str]:
        return {
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": str(torch.get_num_threads()),
            "mkl": str(torch.backends.mkl.is_available()),
            "attention": self._model.config._attn_implementation,
        }

    def prepare(self, batches: Sequence[Batch]) -> list[Any]:
        vary = len({batch.ids.shape for batch in batches}) > 1
        return [(self._runs[vary], self.feed(batch)) for batch in batches]

    def feed(self, batch: Batch) -> Any:
        ids = torch.from_numpy(batch.ids.astype(np.int64))
        mask = torch.from_numpy(batch.mask.astype(np.int64))
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}

    def call(self, feed: Any) -> F32:
        run, inputs = feed
        with torch.inference_mode():
            return run(**inputs).last_hidden_state.numpy()
