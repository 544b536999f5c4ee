"""Live sentence-transformers: its transformer as `of_torch`, then pooling and what follows it.

Texts are encoded one by one: the library sorts those of a batch, and pads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npbert.errors import UnsupportedModelError
from npbert.parity.sources.base import cannot_load, imported, local_directory, split_off, versions
from npbert.parity.sources.of_torch import EAGER, TorchSource, torch_dtype
from npbert.parity.sources.torch_hooks import to_numpy
from npbert.parity.types import Array, Stages


class SentenceTransformersSource(TorchSource):
    """A SentenceTransformer, as it is in memory.

    Args:
        model: its first module runs a BertModel.
        name: as the user wrote it.

    Raises:
        UnsupportedModelError: it does not.
    """

    kind = "st"

    def __init__(self, model: Any, name: str = "st") -> None:
        transformer = getattr(model[0], "auto_model", None)
        if transformer is None:
            raise UnsupportedModelError(
                "the model does not begin with a transformer.",
                where=name,
                received=type(model[0]).__name__,
                expected="Transformer",
            )
        super().__init__(transformer, model.tokenizer, name, max_length=model.max_seq_length)
        self.environment = {**self.environment, **versions("sentence-transformers")}
        self._model = model

    def encode(self, texts: Sequence[str]) -> Stages | None:
        if not texts:
            return None
        pooled: list[Array] = []

        def keep(_module: Any, _inputs: Any, features: Any) -> None:
            pooled.extend(to_numpy(features["sentence_embedding"]))

        pooling = next((each for each in self._model if type(each).__name__ == "Pooling"), None)
        hook = None if pooling is None else pooling.register_forward_hook(keep)
        try:
            vectors = [self._model.encode(text, show_progress_bar=False) for text in texts]
        finally:
            if hook is not None:
                hook.remove()
        found = {"text.vector": np.stack(vectors)}
        return {"text.pooling": np.stack(pooled), **found} if pooled else found


def open_source(rest: str, name: str) -> SentenceTransformersSource:
    """``DIR[@DTYPE]``"""
    library = imported("sentence_transformers", "sentence-transformers", "st")
    transformers = imported("transformers", "transformers", "st")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    preset, dtype = split_off(rest, "@")
    directory = local_directory(preset)
    settings = {"attn_implementation": EAGER, "dtype": torch_dtype(dtype, name)}
    settings["use_safetensors"] = True
    try:
        model = library.SentenceTransformer(
            str(directory), device="cpu", local_files_only=True, model_kwargs=settings
        )
    except Exception as error:  # of several libraries
        raise cannot_load("sentence-transformers", directory, error) from error
    return SentenceTransformersSource(model, name)
