"""The classification head that comes with a preset, or the reason why there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from npbert.caller import warn_caller
from npbert.config import BertConfig
from npbert.errors import ConfigError, ModelFileError
from npbert.ops.heads import CLASSIFIER_ACTIVATIONS
from npbert.presets.hugging_face_task import describes_classifier, read_classifier, weights_file
from npbert.tasks.loading import SavedHead, Source
from npbert.tasks.task_files import activation_name, read_head, read_task
from npbert.weights.heads import classifier_tensors, has_hugging_face, load_hugging_face

CLASSES: Final = ("BertTextClassifier", "BertClassifier")
"""Keras Hub's names for the task."""


def saved_classifier(
    source: Source, config: BertConfig, num_classes: int | None, activation: str | None
) -> SavedHead:
    """The head that ``source`` has, or a random one of ``num_classes``.

    Args:
        source: where the backbone comes from.
        config: the backbone's.
        num_classes: what the caller asks for; None takes what there is.
        activation: replaces the head's own.

    Raises:
        ConfigError: there is no head, and ``num_classes`` does not say how large one is to be; or
            there is one for another number of classes.
        ModelFileError, UnsupportedModelError, WeightError: the head's files are damaged, or
            describe a head that npbert does not compute.
    """
    found = None
    if source.path is not None:
        read = _hugging_face if source.kind == "hugging_face" else _keras
        found = read(source, source.path, config, activation)
    if found is None:
        return _fresh(source, num_classes, activation)
    saved = found.settings["num_classes"]
    if num_classes not in (None, saved):
        raise ConfigError(
            "the preset's head is for another number of classes.",
            where=source.path,
            received=f"num_classes={num_classes!r}",
            expected=f"{saved}, or leave num_classes out",
            fix="for a head with random weights, BertTextClassifier(BertBackbone.from_preset(...),"
            f" num_classes={num_classes!r})",
        )
    return found


def _keras(
    source: Source, path: Path, config: BertConfig, activation: str | None
) -> SavedHead | None:
    task = read_task(path, CLASSES, config)
    if task is None:
        return None
    classes = task.get("num_classes")
    if type(classes) is not int or classes < 1:
        raise ModelFileError(
            "the task does not say how many classes it has.",
            where=path,
            received=f"num_classes {classes!r:.80}",
            expected="a positive int",
            fix="get the preset again, or save it again with save_to_preset",
        )
    if activation is None:
        activation = activation_name(task.get("activation"), [*CLASSIFIER_ACTIVATIONS], path)
    settings = {
        "num_classes": classes,
        "activation": activation,
        "dropout": task.get("dropout", 0.1),
        "name": task.get("name"),
    }
    if not source.load_weights:
        return SavedHead(settings, None, task)
    wanted = classifier_tensors(config, classes)
    head = read_head(path, wanted, config, trust=source.trust, dtype=source.dtype)
    return SavedHead(settings, head, task)


def _hugging_face(
    source: Source, path: Path, config: BertConfig, activation: str | None
) -> SavedHead | None:
    if source.load_weights:
        there = has_hugging_face(weights_file(path), classifier_tensors(config, 1))
    else:
        there = describes_classifier(path)
    if not there:
        return None
    head = read_classifier(path, activation)
    classes = len(head.labels)
    settings = {
        "num_classes": classes,
        "activation": head.activation,
        "labels": head.labels,
        "problem_type": head.problem_type,
    }
    if not source.load_weights:
        return SavedHead(settings, None)
    wanted = classifier_tensors(config, classes)
    return SavedHead(settings, load_hugging_face(weights_file(path), wanted, source.dtype))


def _fresh(source: Source, num_classes: int | None, activation: str | None) -> SavedHead:
    if num_classes is None:
        raise ConfigError(
            "the preset has no classification head.",
            where=source.path,
            expected="the preset of a classifier, such as 'bert_tiny_en_uncased_sst2'",
            fix="take another preset, or pass num_classes= for a head with random weights",
        )
    if source.load_weights:
        warn_caller(f"{source.path} has no classification head: this one's weights are random")
    return SavedHead({"num_classes": num_classes, "activation": activation}, None)
