"""What a model's files say of an embedder: how texts are read, and what is pooled how."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from npbert.backbone import BertBackbone
from npbert.caller import warn_caller
from npbert.config import BertConfig
from npbert.errors import ModelFileError, UnsupportedModelError
from npbert.presets.directory import Kind, kind_of
from npbert.tasks.loading import SAVED, Source, reader
from npbert.tasks.model_files import TextSide, read_tokenizer
from npbert.tasks.readers import TextReader
from npbert.tasks.task import Reader
from npbert.tasks.task_files import TASK, read_task
from npbert.text.limits import Limit
from npbert.text.preprocessors import BertTextEmbedderPreprocessor
from npbert.text.sentence_transformers import DEFAULT, Modules, read_modules
from npbert.weights.settings import boolean, damaged

CLASSES: Final = ("BertTextEmbedder",)
"""Keras Hub's names for the task."""

POOLINGS: Final = ("mean", "cls", "max")
"""Those that the task has."""


# -- for `Embedder` --------------------------------------------------------------------------------


def read_text_side(backbone: BertBackbone, max_seq_length: int | None) -> TextSide:
    """Tokenizer, modules and limit from where the backbone was loaded from.

    Raises:
        ModelFileError: it was loaded from nowhere, or a file is missing or damaged.
        ConfigError, UnsafeModelError, UnsupportedModelError: a file says what npbert cannot do.
    """
    path, config = backbone.path, backbone.config
    if path is None:
        raise _no_tokenizer(path)
    if path.is_file():
        return _of_archive(path, backbone, max_seq_length)
    kind = kind_of(path)
    modules = modules_in(path, kind, config)
    if not modules.stated:
        file = f"{TASK} of a BertTextEmbedder" if kind == "keras" else "modules.json"
        warn_caller(
            f"{path} has no {file}, which says how to make one vector of a text:"
            " taking the mean of its tokens, not normalised"
        )
    tokenizer, limit = read_tokenizer(path, kind, config, max_seq_length)
    masked = tokenizer.pad_token_id if kind == "keras" else None
    return TextSide(tokenizer, modules, limit, masked)


def modules_in(directory: Path, kind: Kind, config: BertConfig) -> Modules:
    """What a model's directory says of pooling and what follows; `DEFAULT` where it is silent.

    Raises:
        ModelFileError, ConfigError, UnsafeModelError, UnsupportedModelError: a file is damaged, or
            says what npbert cannot do.
    """
    if kind != "keras":
        return read_modules(directory, config.hidden_dim)
    task = read_task(directory, CLASSES, config)
    return DEFAULT if task is None else modules_of(**_pooling(task, directory / TASK))


def _of_archive(path: Path, backbone: BertBackbone, max_seq_length: int | None) -> TextSide:
    source = Source("keras", path, load_weights=True, trust=True)
    settings, own = saved_embedder(source, backbone, SAVED, max_seq_length)
    if own is None:
        raise _no_tokenizer(path)
    settings.pop("name", None)
    return text_side(own, backbone, modules_of(**settings))


def _no_tokenizer(path: Path | None) -> ModelFileError:
    return ModelFileError(
        "there is no tokenizer beside the model.",
        where=path,
        expected="a directory with a tokenizer, or the archive of a BertTextEmbedder",
        fix="give Embedder the directory; or put the backbone and a preprocessor together as a"
        " BertTextEmbedder",
    )


# -- for `BertTextEmbedder` ------------------------------------------------------------------------


def modules_of(pooling_mode: str = "mean", normalize: bool = True) -> Modules:
    """What Keras Hub's two settings, with its defaults, are called here."""
    return Modules((pooling_mode,), steps=("normalize",) if normalize else ())


def text_side(own: Reader, backbone: BertBackbone, modules: Modules) -> TextSide:
    """What makes token ids of a task's texts, as an `Embedder` wants it."""
    if isinstance(own, TextReader):
        return TextSide(own.tokenizer, modules, own.limit)
    most = min(own.sequence_length, backbone.config.max_sequence_length)
    limit = Limit(most, "the preprocessor", {})
    return TextSide(own.tokenizer, modules, limit, own.tokenizer.pad_token_id)


def saved_embedder(
    source: Source, backbone: BertBackbone, preprocessor: object, max_seq_length: int | None
) -> tuple[dict[str, Any], Reader | None]:
    """Arguments of `BertTextEmbedder`, those that the files state, and what makes token ids.

    Args:
        source, backbone: of `npbert.tasks.loading.open_preset`.
        preprocessor: what the caller asked for; `SAVED` is the model's own.
        max_seq_length: replaces the limit that the files state.

    Raises:
        UnsupportedModelError: a sentence-transformers model has more modules than fit.
        ModelFileError, ConfigError, UnsafeModelError, WeightError: a file is missing or damaged.
    """
    path, task = source.path, None
    settings: dict[str, Any] = {}
    if path is not None and source.kind == "hugging_face":
        settings = _of_modules(read_modules(path, backbone.config.hidden_dim), path)
    elif path is not None:
        task = read_task(path, CLASSES, backbone.config)
        if task is not None:
            named = {"name": task["name"]} if "name" in task else {}
            settings = _pooling(task, path) | named
    kind = BertTextEmbedderPreprocessor
    return settings, reader(source, backbone, preprocessor, kind, task, max_seq_length)


def _pooling(task: dict[str, Any], where: Path) -> dict[str, Any]:
    """Source: keras_hub/src/models/bert/bert_text_embedder.py, ``get_config``."""
    mode = task.get("pooling_mode", "mean")
    if mode not in POOLINGS:
        raise damaged(where, f"pooling_mode among {', '.join(POOLINGS)}", mode)
    return {"pooling_mode": mode, "normalize": boolean(task, "normalize", True, where)}


def _of_modules(modules: Modules, path: Path) -> dict[str, Any]:
    """Source: keras_hub/src/utils/transformers/convert_bert.py, ``load_task_config``."""
    mode, *others = modules.modes
    unsaid = {
        "default_prompt_name": modules.default_prompt_name,
        "truncate_dim": modules.truncate_dim,
    }
    said = [f"{name} {value!r}" for name, value in unsaid.items() if value is not None]
    if said:
        raise UnsupportedModelError(
            "the model asks for what a BertTextEmbedder does not do.",
            where=path,
            received=", ".join(said),
            fix="use Embedder, which does it",
        )
    if others or mode not in POOLINGS or modules.steps not in ((), ("normalize",)):
        raise UnsupportedModelError(
            "the model's modules are more than a BertTextEmbedder has.",
            where=path,
            received=f"pooling {'+'.join(modules.modes)}, then {len(modules.steps)} modules",
            expected=f"one of {', '.join(POOLINGS)}, then Normalize or nothing",
            fix="use Embedder, which has them all",
        )
    return {"pooling_mode": mode, "normalize": bool(modules.steps)} if modules.stated else {}
