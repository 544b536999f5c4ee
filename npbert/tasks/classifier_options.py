"""What a `BertTextClassifier` may be made with, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from npbert.config import check_number, unknown_name
from npbert.errors import ConfigError
from npbert.ops.heads import CLASSIFIER_ACTIVATIONS
from npbert.presets.hugging_face_task import PROBLEM_TYPES


def activation(name: object) -> str:
    """The name of an activation; None is ``"linear"``."""
    if name is None:
        return "linear"
    if isinstance(name, str) and name in CLASSIFIER_ACTIVATIONS:
        return name
    raise unknown_name("activation", str(name), [*CLASSIFIER_ACTIVATIONS])


def dropout(rate: float) -> float:
    """A training rate."""
    check_number("dropout", rate, 0, 1)
    return rate


def labels(names: Sequence[str] | None, num_classes: int) -> tuple[str, ...] | None:
    """One name for each class, or None."""
    if names is None:
        return None
    listed = isinstance(names, Iterable) and not isinstance(names, str)
    found = tuple(names) if listed else ()
    if len(found) == num_classes and all(isinstance(each, str) for each in found):
        return found
    raise ConfigError(
        "labels must be one str for each class.",
        received=f"{names!r:.80}",
        expected=f"{num_classes} of them",
    )


def problem_type(name: object) -> str | None:
    """What the head was trained for, in transformers' words, or None."""
    if name is None or (isinstance(name, str) and name in PROBLEM_TYPES):
        return name
    raise unknown_name("problem_type", str(name), [*PROBLEM_TYPES])


def reading(activation: str, problem_type: str | None, num_classes: int) -> str:
    """What makes probabilities of a head's output, as transformers' pipeline has it."""
    if activation != "linear" or problem_type == "regression":
        return "linear"
    alone = num_classes == 1 or problem_type == "multi_label_classification"
    return "sigmoid" if alone else "softmax"
