"""What a Hugging Face directory says of its head: labels, activation, tied tables.

Source: transformers/configuration_utils.py, ``PreTrainedConfig``, for labels;
sentence_transformers/cross_encoder/model.py, ``CrossEncoder.get_default_activation_fn`` and
``_parse_model_config``, for what follows a classifier's logits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from npbert.errors import ConfigError, ModelFileError, UnsupportedModelError
from npbert.presets.directory import MAX_CONFIG_BYTES, WEIGHTS
from npbert.weights.module_list import MODULES, read_module_list
from npbert.weights.strict_json import read_object

_SENTENCE_TRANSFORMERS: Final = "config_sentence_transformers.json"
_TORCH: Final = {"Identity": "linear", "Sigmoid": "sigmoid", "Softmax": "softmax", "Tanh": "tanh"}
PROBLEM_TYPES: Final = ("regression", "single_label_classification", "multi_label_classification")


class Classifier(NamedTuple):
    """A classifier's head, without its weights.

    Args:
        labels: the name of each class.
        problem_type: what it was trained for, one of three words of transformers', or None.
        activation: what sentence-transformers applies to the logits.
    """

    labels: tuple[str, ...]
    problem_type: str | None
    activation: str


def weights_file(directory: Path) -> Path:
    """The file, or the index of several, that the directory's backbone was read from."""
    names = WEIGHTS["hugging_face"]
    return next(directory / name for name in names if (directory / name).exists())


def is_tied(directory: Path) -> bool:
    """Whether a masked LM's table is the token embedding's: ``tie_word_embeddings``."""
    return _config(directory).get("tie_word_embeddings", True) is not False


def describes_classifier(directory: Path) -> bool:
    """Whether config.json says that the model has a classifier's head."""
    names = _config(directory).get("architectures")
    return isinstance(names, list) and "BertForSequenceClassification" in names


def read_classifier(directory: Path, activation: str | None) -> Classifier:
    """The classifier that a ``BertForSequenceClassification`` directory describes.

    Args:
        directory: one that `npbert.presets.load_preset` has read.
        activation: replaces the directory's.

    Raises:
        ConfigError, ModelFileError: a file is damaged.
        UnsupportedModelError: the directory asks for more than a head after BERT, or for an
            activation that npbert does not compute.
    """
    raw, more = _config(directory), _sentence_transformers(directory)
    _check_modules(directory)
    _check_prompt(more, directory / _SENTENCE_TRANSFORMERS)
    labels = _labels(raw, directory / "config.json")
    problem_type = raw.get("problem_type")
    if problem_type is not None and problem_type not in PROBLEM_TYPES:
        raise ConfigError(
            "problem_type is not one that transformers knows.",
            where=directory / "config.json",
            received=f"{problem_type!r:.80}",
            expected=", ".join(PROBLEM_TYPES),
        )
    return Classifier(labels, problem_type, activation or _activation(raw, more, len(labels)))


def _config(directory: Path) -> Mapping[str, Any]:
    return read_object(directory / "config.json", max_bytes=MAX_CONFIG_BYTES, error=ConfigError)


def _sentence_transformers(directory: Path) -> Mapping[str, Any]:
    path = directory / _SENTENCE_TRANSFORMERS
    if not path.exists():
        return {}
    return read_object(path, max_bytes=MAX_CONFIG_BYTES, error=ModelFileError)


def _labels(raw: Mapping[str, Any], where: Path) -> tuple[str, ...]:
    """``id2label``, or as many names as ``num_labels`` says; transformers' default is two."""
    stated, count = raw.get("id2label"), raw.get("num_labels")
    if stated is None:
        if not (type(count) is int and count > 0) and count is not None:
            raise ConfigError("num_labels must be a positive int.", where=where, received=count)
        return tuple(f"LABEL_{i}" for i in range(2 if count is None else count))
    names = _mapping(stated)
    labels = [names.get(str(i)) for i in range(len(names))]
    if not labels or not all(isinstance(label, str) for label in labels):
        raise ConfigError(
            "id2label does not name the classes.",
            where=where,
            received=f"{stated!r:.80}",
            expected='{"0": "a name", "1": "another", ...}',
        )
    return tuple(cast("list[str]", labels))


def _activation(raw: Mapping[str, Any], more: Mapping[str, Any], classes: int) -> str:
    """What is stated, newest release's place first; else a sigmoid for a single class."""
    stated = (
        more.get("activation_fn"),
        _mapping(raw.get("sentence_transformers")).get("activation_fn"),
        raw.get("sbert_ce_default_activation_function"),
    )
    path = next((each for each in stated if each is not None), None)
    if path is None:
        return "sigmoid" if classes == 1 else "linear"
    package, _, name = str(path).rpartition(".")
    if package.startswith("torch.nn") and name in _TORCH:
        return _TORCH[name]
    raise UnsupportedModelError(
        "the head's activation is not one that npbert computes.",
        received=f"{path!r:.80}",
        expected=", ".join(f"torch.nn.{each}" for each in _TORCH),
        fix="pass activation='linear' for the logits, and apply your own to them",
    )


def _check_modules(directory: Path) -> None:
    """A cross-encoder may have modules of its own after BERT and its head."""
    if not (directory / MODULES).exists():
        return
    modules = read_module_list(directory / MODULES)
    if [m.kind.rpartition(".")[2] for m in modules] != ["Transformer"] or modules[0].folder:
        raise UnsupportedModelError(
            "the model is more than BERT and a head.",
            where=directory / MODULES,
            received=", ".join(module.kind for module in modules),
            expected="one Transformer",
            fix="Embedder takes models that make vectors",
        )


def _check_prompt(more: Mapping[str, Any], where: Path) -> None:
    name = more.get("default_prompt_name")
    if prompt := _mapping(more.get("prompts")).get(str(name)) if name is not None else None:
        raise UnsupportedModelError(
            "the model puts a prompt before its texts.",
            where=where,
            received=f"{prompt!r:.80}",
            fix='set "default_prompt_name" to null, and put the prompt before the texts yourself',
        )


def _mapping(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
