"""What an embedder takes from a model's directory, beside the weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from npbert import dtype_policy
from npbert.backbone import BertBackbone
from npbert.config import BertConfig
from npbert.errors import ConfigError
from npbert.presets.directory import Kind
from npbert.text.limits import Limit, resolve_limit
from npbert.text.sentence_transformers import Modules, read_lowercase
from npbert.text.tokenizer import Tokenizer, check_vocabulary, load_tokenizer


class TextSide(NamedTuple):
    """From texts to token ids, and from token vectors to a text's vector.

    Args:
        tokenizer, modules, limit: the model's.
        masked_id: a token that the mask drops wherever a text has it: [PAD], for Keras Hub.
    """

    tokenizer: Tokenizer
    modules: Modules
    limit: Limit
    masked_id: int | None = None


def load_backbone(
    model: str | os.PathLike[str] | BertBackbone,
    activation: str | None,
    num_threads: int | None,
    dtype: object = None,
) -> BertBackbone:
    """The model, or the one that is loaded already.

    Args:
        model, activation, num_threads, dtype: as in `Embedder`.

    Raises:
        ConfigError: that one has other settings.
    """
    if not isinstance(model, BertBackbone):
        overrides: dict[str, Any] = {} if activation is None else {"activation": activation}
        policy = dtype_policy.get(dtype)  # never that of a preset's files
        return BertBackbone.from_preset(model, num_threads=num_threads, dtype=policy, **overrides)
    for name, wanted, has in (
        ("activation", activation, model.config.activation),
        ("num_threads", num_threads, model.num_threads),
        ("dtype", None if dtype is None else dtype_policy.get(dtype).name, model.dtype_policy.name),
    ):
        if wanted is not None and wanted != has:
            raise ConfigError(
                f"{name} cannot be changed on a model that is loaded.",
                received=repr(wanted),
                expected=f"None or {has!r}, which the model has",
                fix=f"BertBackbone.from_preset(..., {name}={wanted!r})",
            )
    return model


def read_tokenizer(
    directory: Path, kind: Kind, config: BertConfig, max_seq_length: int | None
) -> tuple[Tokenizer, Limit]:
    """A directory's tokenizer, and how many tokens of a text are read.

    Raises:
        ModelFileError, ConfigError, UnsupportedModelError: a file is missing or damaged, or says
            what npbert cannot do.
    """
    tokenizer = load_tokenizer(directory, kind, lowercase=read_lowercase(directory))
    check_vocabulary(tokenizer, config, directory)
    limit = resolve_limit(
        directory,
        positions=config.max_sequence_length,
        least=tokenizer.num_special_tokens + 1,
        argument=max_seq_length,
        baked=tokenizer.baked_limit,
    )
    return tokenizer, limit
