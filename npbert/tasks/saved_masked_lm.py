"""The masked LM's head that comes with a preset, or the reason why there is none."""

from __future__ import annotations

from typing import Final

from npbert.backbone import BertBackbone
from npbert.config import BertConfig
from npbert.errors import ConfigError
from npbert.presets.hugging_face_task import is_tied, weights_file
from npbert.tasks.loading import SavedHead, Source
from npbert.tasks.task_files import read_head, read_task
from npbert.weights.heads import (
    has_hugging_face,
    load_hugging_face_masked_lm,
    masked_lm_tensors,
)

CLASSES: Final = ("BertMaskedLM",)
EPSILON: Final = 1e-5
"""Of the head's layer norm in Keras Hub, which fixes it: MaskedLMHead's default."""


def saved_masked_lm(source: Source, backbone: BertBackbone) -> SavedHead:
    """The head that ``source`` has.

    Raises:
        ConfigError: there is none.
        ModelFileError, UnsupportedModelError, WeightError: the head's files are damaged.
    """
    if source.kind == "hugging_face":
        found = _hugging_face(source, backbone)
    else:
        found = _keras(source, backbone.config)
    if found is not None:
        return found
    raise ConfigError(
        "the preset has no masked LM's head, and a random one would predict noise.",
        where=source.path,
        expected="task.json of a BertMaskedLM, or cls.predictions of Hugging Face",
        fix="take a model that has it, such as 'hf://google-bert/bert-base-uncased'; for a head"
        " with random weights, BertMaskedLM(BertBackbone.from_preset(...))",
    )


def _keras(source: Source, config: BertConfig) -> SavedHead | None:
    task = None if source.path is None else read_task(source.path, CLASSES, config)
    settings = {} if task is None else {"name": task.get("name")}
    if not source.load_weights:
        return SavedHead(settings, None, task)
    if task is None or source.path is None:
        return None
    wanted = masked_lm_tensors(config)
    head = read_head(source.path, wanted, config, trust=source.trust, dtype=source.dtype)
    return SavedHead(settings, head, task)


def _hugging_face(source: Source, backbone: BertBackbone) -> SavedHead | None:
    """There, the head has the activation and the epsilon of the whole model."""
    assert source.path is not None
    config = backbone.config
    settings = {
        "intermediate_activation": config.activation,
        "layer_norm_epsilon": config.layer_norm_epsilon,
    }
    if not source.load_weights:
        return SavedHead(settings, None)
    file, wanted = weights_file(source.path), masked_lm_tensors(config)
    if not has_hugging_face(file, wanted):
        return None
    tied = is_tied(source.path)
    table = backbone.token_embedding
    head = load_hugging_face_masked_lm(file, wanted, table, tied=tied, dtype=source.dtype)
    return SavedHead(settings, head)
