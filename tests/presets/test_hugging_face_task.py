from __future__ import annotations

import json

import pytest

from npbert.errors import ConfigError, ModelFileError, UnsafeModelError, UnsupportedModelError
from npbert.presets.hugging_face_task import (
    Classifier,
    describes_classifier,
    is_tied,
    read_classifier,
    weights_file,
)

TORCH = "torch.nn.modules"
TRANSFORMER = {"type": "sentence_transformers.models.Transformer", "path": ""}


def directory(path, modules=None, sentence_transformers=None, **config):
    (path / "config.json").write_text(json.dumps(config))
    if modules is not None:
        (path / "modules.json").write_text(json.dumps(modules))
    if sentence_transformers is not None:
        file = path / "config_sentence_transformers.json"
        file.write_text(json.dumps(sentence_transformers))
    return path


def labels(count):
    return {str(i): f"class {i}" for i in range(count)}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ("LABEL_0", "LABEL_1")),
        ({"num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
        ({"id2label": {"1": "good", "0": "bad"}}, ("bad", "good")),
        # Its default beside a head of another size: the names count.
        ({"id2label": {"0": "a"}, "num_labels": 2}, ("a",)),
    ],
)
def test_labels(tmp_path, config, expected):
    assert read_classifier(directory(tmp_path, **config), None).labels == expected


@pytest.mark.parametrize("bad", [{"0": "a", "2": "c"}, {"0": 5}, {}, ["a", "b"], "a"])
def test_labels_that_name_no_classes(tmp_path, bad):
    with pytest.raises(ConfigError, match=r"id2label does not name the classes(.|\n)*config.json"):
        read_classifier(directory(tmp_path, id2label=bad), None)


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "2"])
def test_num_labels_that_is_no_number(tmp_path, bad):
    with pytest.raises(ConfigError, match="num_labels must be a positive int"):
        read_classifier(directory(tmp_path, num_labels=bad), None)


@pytest.mark.parametrize(
    ("classes", "more", "expected"),
    [
        (1, {}, "sigmoid"),
        (3, {}, "linear"),
        (1, {"sentence_transformers": {"activation_fn": f"{TORCH}.linear.Identity"}}, "linear"),
        (1, {"sbert_ce_default_activation_function": f"{TORCH}.linear.Identity"}, "linear"),
        (3, {"sbert_ce_default_activation_function": "torch.nn.Sigmoid"}, "sigmoid"),
        (3, {"sentence_transformers": {"activation_fn": f"{TORCH}.activation.Tanh"}}, "tanh"),
        (3, {"sentence_transformers": {"activation_fn": f"{TORCH}.activation.Softmax"}}, "softmax"),
        (
            1,
            {
                "sentence_transformers": {"activation_fn": f"{TORCH}.activation.Tanh"},
                "sbert_ce_default_activation_function": f"{TORCH}.linear.Identity",
            },
            "tanh",
        ),
    ],
)
def test_activation(tmp_path, classes, more, expected):
    found = directory(tmp_path, id2label=labels(classes), **more)
    assert read_classifier(found, None).activation == expected
    assert read_classifier(found, "softmax").activation == "softmax"


def test_activation_of_the_newest_release_s_file(tmp_path):
    """CrossEncoder 5 and later keeps it beside config.json."""
    found = directory(
        tmp_path,
        sentence_transformers={"activation_fn": f"{TORCH}.linear.Identity"},
        id2label=labels(1),
        sbert_ce_default_activation_function=f"{TORCH}.activation.Sigmoid",
    )
    assert read_classifier(found, None).activation == "linear"
    found = directory(tmp_path, sentence_transformers={"activation_fn": None}, id2label=labels(1))
    assert read_classifier(found, None).activation == "sigmoid"


@pytest.mark.parametrize("path", [f"{TORCH}.activation.ReLU", "mine.Sigmoid", "Sigmoid", 5])
def test_an_activation_that_is_not_computed(tmp_path, path):
    found = directory(tmp_path, sentence_transformers={"activation_fn": path})
    with pytest.raises(
        UnsupportedModelError,
        match=r"activation is not one(.|\n)*torch.nn.Identity, (.|\n)*activation='linear'",
    ):
        read_classifier(found, None)
    assert read_classifier(found, "linear").activation == "linear"


@pytest.mark.parametrize(
    "problem", ["regression", "single_label_classification", "multi_label_classification", None]
)
def test_problem_type(tmp_path, problem):
    found = directory(tmp_path, problem_type=problem)
    assert read_classifier(found, None) == Classifier(("LABEL_0", "LABEL_1"), problem, "linear")


def test_a_problem_type_of_nobody_s(tmp_path):
    with pytest.raises(ConfigError, match=r"problem_type is not one(.|\n)*regression, single_"):
        read_classifier(directory(tmp_path, problem_type="ranking"), None)


def test_modules(tmp_path):
    read_classifier(directory(tmp_path, modules=[TRANSFORMER]), None)
    more = {"type": "sentence_transformers.cross_encoder.modules.LogitScore", "path": "1_Score"}
    with pytest.raises(UnsupportedModelError, match=r"more than BERT and a head(.|\n)*LogitScore"):
        read_classifier(directory(tmp_path, modules=[TRANSFORMER, more]), None)
    with pytest.raises(UnsafeModelError, match="leads out"):
        read_classifier(directory(tmp_path, modules=[{**TRANSFORMER, "path": "../x"}]), None)


def test_a_prompt(tmp_path):
    prompts = {"prompts": {"query": "find: ", "none": ""}}
    for name in (None, "none"):
        settings = {"default_prompt_name": name, **prompts}
        read_classifier(directory(tmp_path, sentence_transformers=settings), None)
    settings = {"default_prompt_name": "query", **prompts}
    with pytest.raises(UnsupportedModelError, match=r"a prompt before its texts(.|\n)*'find: '"):
        read_classifier(directory(tmp_path, sentence_transformers=settings), None)


def test_a_damaged_file(tmp_path):
    (directory(tmp_path) / "config_sentence_transformers.json").write_text("[")
    with pytest.raises(ModelFileError):
        read_classifier(tmp_path, None)


@pytest.mark.parametrize(
    ("config", "expected"),
    [({}, True), ({"tie_word_embeddings": True}, True), ({"tie_word_embeddings": False}, False)],
)
def test_tied(tmp_path, config, expected):
    assert is_tied(directory(tmp_path, **config)) is expected


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [(None, False), (["BertModel"], False), (["BertForSequenceClassification"], True)],
)
def test_what_the_config_describes(tmp_path, architectures, expected):
    assert describes_classifier(directory(tmp_path, architectures=architectures)) is expected


def test_the_weights_file(tmp_path):
    (tmp_path / "model.safetensors.index.json").touch()
    assert weights_file(tmp_path).name == "model.safetensors.index.json"
    (tmp_path / "model.safetensors").touch()
    assert weights_file(tmp_path).name == "model.safetensors"
