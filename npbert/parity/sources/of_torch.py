"""Live transformers: a BertModel of PyTorch, whose modules are watched while it runs.

A directory's model runs attention as ``"eager"``, the implementation of transformers that shows
probabilities; the scores are caught between the functions that it calls. A module that runs it in
another way shows neither. Source: transformers/models/bert/modeling_bert.py,
``eager_attention_forward``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np

from npbert.config import BertConfig, unknown_name
from npbert.errors import NpbertError, UnsupportedModelError
from npbert.parity.sources.base import (
    NAMES,
    Base,
    cannot_load,
    cannot_run,
    imported,
    local_directory,
    split_off,
    versions,
)
from npbert.parity.sources.modules import as_stage
from npbert.parity.sources.of_npbert import has_tokenizer
from npbert.parity.sources.torch_hooks import attach, submodule, to_numpy
from npbert.parity.types import Array, Inputs, Stages, Tokens
from npbert.presets.hugging_face_config import hugging_face_fields
from npbert.text.limits import resolve_limit
from npbert.weights.module_list import transformer_folder
from npbert.weights.names import tensors

EAGER: Final = "eager"
WIDTHS: Final = ("float32", "float64", "float16", "bfloat16")
_PACKAGES: Final = ("torch", "transformers", "tokenizers")
_INPUTS: Final = dict(zip(NAMES, ("input_ids", "token_type_ids", "attention_mask")))


class TorchSource(Base):
    """A module of transformers, as it is in memory.

    Args:
        module: a BertModel, or a model with a head around one. It is run as in ``eval()``.
        tokenizer: one of transformers'; None for a source without texts.
        name: as the user wrote it.
        max_length: the most tokens of a text; None is what the tokenizer says.

    Raises:
        UnsupportedModelError: there is no BertModel in it.
    """

    kind = "torch"

    def __init__(
        self,
        module: Any,
        tokenizer: Any = None,
        name: str = "torch",
        *,
        max_length: int | None = None,
    ) -> None:
        model = getattr(module, "base_model", module)
        _check_is_bert(model, name)
        dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
        attention = str(getattr(model.config, "_attn_implementation", None))
        super().__init__(name, environment=versions(*_PACKAGES))
        self.environment = {**self.environment, "dtype": dtype, "attention": attention}
        self.config = self._config(model)
        shows = "shows scores and probabilities" if attention == EAGER else "hides its scores"
        self.notes.append(f"{name} runs attention as {attention!r}, which {shows}")
        self.model, self.tokenizer, self._max_length = model, tokenizer, max_length

    def _config(self, model: Any) -> BertConfig | None:
        try:
            fields, _ = hugging_face_fields(model.config.to_dict(), Path(self.name))
            return BertConfig(**fields)
        except NpbertError as error:
            self.notes.append(f"{self.name} is no model that npbert could run: {error.what}")
            return None

    def weights(self) -> Mapping[str, Array] | None:
        if self.config is None:
            return None
        state = self.model.state_dict()
        found: dict[str, Array] = {}
        for tensor in tensors(self.config):
            if tensor.hugging_face in state:
                array = to_numpy(state[tensor.hugging_face])
                whole = array.shape == tensor.hugging_face_shape
                found[tensor.name] = tensor.from_hugging_face(array) if whole else array
        return found

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        if self.tokenizer is None:
            return None
        fast = bool(self.tokenizer.is_fast)
        limits = (self._max_length, self.tokenizer.model_max_length)
        positions = self.model.config.max_position_embeddings
        limit = next(each for each in limits if each is not None)
        encoded = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=min(limit, positions),
            return_offsets_mapping=fast,
            return_token_type_ids=True,
        )
        ids: list[list[int]] = encoded["input_ids"]
        return Tokens(
            ids=ids,
            tokens=[self.tokenizer.convert_ids_to_tokens(row) for row in ids],
            offsets=encoded["offset_mapping"] if fast else None,
            segment_ids=encoded["token_type_ids"],
        )

    def run(self, inputs: Inputs) -> Stages:
        torch = imported("torch", "torch", self.kind)
        heads, rows = self.model.config.num_attention_heads, len(inputs["token_ids"])
        stages: dict[str, Array] = {}

        def keep(stage: str, value: Any) -> None:
            stages[stage] = as_stage(stage, to_numpy(value), rows, heads)

        device = next(self.model.parameters()).device
        named = {
            theirs: torch.tensor(np.asarray(inputs[ours]), dtype=torch.long, device=device)
            for ours, theirs in _INPUTS.items()
        }
        training = self.model.training
        with ExitStack() as stack:
            stack.callback(self.model.train, training)
            self.model.eval()
            watch = attach(self.model, keep, stack, torch)
            stack.enter_context(torch.no_grad())
            stack.enter_context(watch)
            try:
                result = self.model(**named)
            except (IndexError, RuntimeError, ValueError) as error:
                raise cannot_run("PyTorch", self.name, inputs, error) from error
        keep("sequence_output", result.last_hidden_state)
        if getattr(result, "pooler_output", None) is not None:
            keep("pooled_output", result.pooler_output)
        return stages


def open_source(rest: str, name: str) -> TorchSource:
    """``DIR[@DTYPE]``"""
    imported("torch", "torch", "torch")
    transformers = imported("transformers", "transformers", "torch")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    preset, dtype = split_off(rest, "@")
    directory = transformer_folder(local_directory(preset))
    try:
        model = transformers.AutoModel.from_pretrained(
            directory,
            dtype=torch_dtype(dtype, name),
            attn_implementation=EAGER,
            local_files_only=True,
            use_safetensors=True,
        )
        tokenizer = None
        if has_tokenizer(directory):
            tokenizer = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except Exception as error:  # of several libraries
        raise cannot_load("transformers", directory, error) from error
    positions = getattr(model.config, "max_position_embeddings", None)
    if tokenizer is None or positions is None:
        return TorchSource(model, tokenizer, name)
    limit = resolve_limit(directory, positions=positions, least=3)
    return TorchSource(model, tokenizer, name, max_length=limit.value)


def torch_dtype(dtype: str | None, name: str) -> Any:
    """``"bfloat16"`` -> ``torch.bfloat16``; None is float32, whatever the files hold.

    Raises:
        ConfigError: it is no width of floats.
    """
    torch = imported("torch", "torch", "torch")
    if dtype not in (None, *WIDTHS):
        raise unknown_name("dtype", str(dtype), list(WIDTHS), where=name)
    return getattr(torch, dtype or "float32")


def _check_is_bert(model: Any, name: str) -> None:
    needed = ("embeddings.word_embeddings", "encoder.layer")
    if any(submodule(model, path) is None for path in needed):
        raise UnsupportedModelError(
            "the module is no BertModel, nor a model around one.",
            where=name,
            received=type(model).__name__,
            expected=" and ".join(needed),
        )
