"""Stand-ins for the peers' libraries, which are not installed where these tests run."""

from __future__ import annotations

import re
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from npbert.config import BertConfig

CONFIG = BertConfig(
    vocabulary_size=13,
    num_layers=1,
    num_heads=2,
    hidden_dim=6,
    intermediate_dim=9,
    max_sequence_length=5,
    num_segments=3,
    activation="gelu",
)
FIELDS = {  # the same, as Hugging Face says it
    "model_type": "bert",
    "vocab_size": 13,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "hidden_size": 6,
    "intermediate_size": 9,
    "max_position_embeddings": 5,
    "type_vocab_size": 3,
    "hidden_act": "gelu",
}


def library(name: str, **names: Any) -> ModuleType:
    """A module of this name that has nothing but these."""
    module = ModuleType(name)
    module.__dict__.update(names)
    return module


class Tensor:
    """What `npbert.parity.sources.torch_hooks.to_numpy` asks of a tensor."""

    def __init__(self, array: Any, dtype: str = "float32") -> None:
        self.array, self.dtype = np.asarray(array), f"torch.{dtype}"
        self.shape, self.ndim = self.array.shape, self.array.ndim

    def detach(self) -> Tensor:
        return self

    cpu = contiguous = detach

    def numpy(self) -> Any:
        return self.array


class Model:
    """A BertModel as far as it is looked at from outside."""

    def __init__(self, state: dict[str, Tensor], **fields: Any) -> None:
        said = FIELDS | fields
        self.config = SimpleNamespace(**said, to_dict=lambda: said, _attn_implementation="eager")
        self._state = state

    def parameters(self) -> Any:
        return iter(self._state.values())

    def state_dict(self) -> dict[str, Tensor]:
        return self._state

    def get_submodule(self, path: str) -> Any:
        if path.startswith(("embeddings.", "encoder.layer")):
            return self
        raise AttributeError(path)


class Words:
    """A tokenizer of transformers' kind: a word is as many ids as it has letters."""

    is_fast = True
    model_max_length = 10**30

    def __call__(self, texts: list[str], *, max_length: int, **asked: Any) -> dict[str, Any]:
        self.asked = asked | {"max_length": max_length}
        rows = [list(range(len(text)))[:max_length] for text in texts]
        zeros = [[0] * len(row) for row in rows]
        offsets = [[(i, i + 1) for i in row] for row in rows]
        return {"input_ids": rows, "token_type_ids": zeros, "offset_mapping": offsets}

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [f"t{id}" for id in ids]


def missing(monkeypatch: Any, *names: str) -> None:
    """None of these can be imported."""
    for name in names:
        assert re.fullmatch(r"\w+", name)
        monkeypatch.setitem(sys.modules, name, None)
