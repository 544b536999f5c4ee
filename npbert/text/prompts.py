"""``config_sentence_transformers.json``: prompts, and how a model's vectors are compared.

Source: sentence_transformers/base/model.py, ``BaseModel._parse_model_config``;
sentence_transformers/sentence_transformer/model.py, ``SentenceTransformer._parse_model_config``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, cast, get_args

from npbert.weights.settings import damaged, read_settings, whole

FILE: Final = "config_sentence_transformers.json"

Similarity = Literal["cosine", "dot", "euclidean", "manhattan"]

NO_PROMPTS: Final[Mapping[str, str]] = {"query": "", "document": ""}
"""The names that every sentence-transformers model has."""


class Usage(NamedTuple):
    """What the file says.

    Args:
        prompts: name -> what is put before a text.
        default_prompt_name: of the prompt for texts that come without one, or None.
        similarity_fn_name: how two vectors are compared.
        truncate_dim: how many numbers of a vector are kept, or None for all.
    """

    prompts: Mapping[str, str] = NO_PROMPTS
    default_prompt_name: str | None = None
    similarity_fn_name: Similarity = "cosine"
    truncate_dim: int | None = None


def read_usage(directory: Path) -> Usage:
    """What the directory's file says, or the defaults; a similarity not known here is cosine.

    Raises:
        ModelFileError: the file is damaged, or its default prompt is none of its prompts.
    """
    path = directory / FILE
    fields = read_settings(path)
    prompts = _prompts(fields.get("prompts"), path)
    default = fields.get("default_prompt_name")
    if default is not None and not (isinstance(default, str) and default in prompts):
        raise damaged(path, f"default_prompt_name among {', '.join(prompts)}", default)
    similarity = fields.get("similarity_fn_name")
    if similarity not in get_args(Similarity):
        similarity = "cosine"
    truncate_dim = whole(fields, "truncate_dim", path)
    return Usage(prompts, default, cast("Similarity", similarity), truncate_dim)


def _prompts(stated: Any, path: Path) -> Mapping[str, str]:
    """Null is the empty prompt."""
    fields: dict[str, Any] = {} if stated is None else stated
    known = isinstance(fields, dict) and all(isinstance(t, str | None) for t in fields.values())
    if not known:
        raise damaged(path, "prompts as name -> text", stated)
    return {**NO_PROMPTS, **{name: text or "" for name, text in fields.items()}}
