from __future__ import annotations

import warnings

import numpy as np
import pytest
from weights.model_files import change_json

from npbert.errors import ConfigError, ModelFileError, UnsupportedModelError, WeightError
from npbert.tasks.loading import Source
from npbert.tasks.saved_classifier import saved_classifier
from tasks.task_models import CLASSES, CONFIG, KERAS, classifier, masked_lm, write_classifier


def source(path, kind="keras", load_weights=True):
    return Source(kind, path, load_weights, True)


def of_keras(path, classes=None, activation=None, **more):
    return saved_classifier(source(path, **more), KERAS, classes, activation)


def of_hugging_face(path, classes=None, activation=None, **more):
    return saved_classifier(source(path, "hugging_face", **more), CONFIG, classes, activation)


@pytest.fixture
def preset(tmp_path):
    classifier(activation="tanh", dropout=0.3, name="mine").save_to_preset(tmp_path)
    return tmp_path


def test_keras_s(preset):
    found = of_keras(preset)
    settings = {"num_classes": 6, "activation": "tanh", "dropout": 0.3, "name": "mine"}
    assert found.settings == settings
    assert list(found.weights) == ["logits/kernel", "logits/bias"]
    assert found.task["num_classes"] == 6


def test_keras_s_without_weights(preset):
    (preset / "task.weights.h5").unlink()
    assert of_keras(preset, load_weights=False).weights is None
    with pytest.raises(ModelFileError, match="no weights for it"):
        of_keras(preset)


def test_the_caller_s_wishes(preset):
    assert of_keras(preset, 6, "softmax").settings["activation"] == "softmax"
    with pytest.raises(
        ConfigError,
        match=r"another number of classes(.|\n)*num_classes=4\n  expected: 6(.|\n)*"
        r"BertTextClassifier\(BertBackbone.from_preset\(...\), num_classes=4\)",
    ):
        of_keras(preset, 4)


@pytest.mark.parametrize("bad", [0, "6", True, None])
def test_a_number_of_classes_that_is_none(preset, bad):
    change_json(preset / "task.json", lambda j: j["config"].update(num_classes=bad))
    with pytest.raises(ModelFileError, match="does not say how many classes"):
        of_keras(preset)


def test_another_number_than_the_weights_have(preset):
    change_json(preset / "task.json", lambda j: j["config"].update(num_classes=7))
    with pytest.raises(WeightError, match=r"'logits/kernel' has the wrong shape"):
        of_keras(preset)


def test_an_activation_that_is_not_computed(preset):
    change_json(preset / "task.json", lambda j: j["config"].update(activation="relu"))
    with pytest.raises(UnsupportedModelError, match="activation is not one"):
        of_keras(preset)
    assert of_keras(preset, activation="linear").settings["activation"] == "linear"


def test_no_head(tmp_path):
    masked_lm().save_to_preset(tmp_path)
    with pytest.raises(ConfigError, match=r"no classification head(.|\n)*pass num_classes="):
        of_keras(tmp_path)
    with pytest.warns(UserWarning, match="no classification head: this one's weights are random"):
        found = of_keras(tmp_path, 4, "softmax")
    assert found.settings == {"num_classes": 4, "activation": "softmax"}
    assert found.weights is found.task is None


def test_no_head_and_none_wanted(tmp_path):
    masked_lm().save_to_preset(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert of_keras(tmp_path, 4, load_weights=False).weights is None
        built_in = source(None, "built-in", load_weights=False)
        assert saved_classifier(built_in, KERAS, 4, None).weights is None


def test_hugging_face_s(tmp_path):
    write_classifier(tmp_path / "m", problem_type="multi_label_classification")
    found = of_hugging_face(tmp_path / "m")
    assert found.settings == {
        "num_classes": CLASSES,
        "activation": "linear",
        "labels": tuple(f"class {i}" for i in range(CLASSES)),
        "problem_type": "multi_label_classification",
    }
    assert {name: w.shape for name, w in found.weights.items()} == {
        "logits/kernel": (20, 6),
        "logits/bias": (6,),
    }
    assert np.ptp(found.weights["logits/kernel"]) > 0
    assert of_hugging_face(tmp_path / "m", load_weights=False).weights is None
    with pytest.raises(ConfigError, match="another number of classes"):
        of_hugging_face(tmp_path / "m", 3)


def test_hugging_face_s_labels_of_another_number(tmp_path):
    write_classifier(tmp_path / "m", id2label={"0": "a", "1": "b"})
    with pytest.raises(WeightError, match=r"'logits/kernel' has the wrong shape"):
        of_hugging_face(tmp_path / "m")


def test_hugging_face_s_without_head(tmp_path):
    directory = write_classifier(tmp_path / "m", architectures=["BertModel"])
    from text.tiny_model import write_tiny_model

    write_tiny_model(directory)  # over it: weights without a head
    with pytest.raises(ConfigError, match="no classification head"):
        of_hugging_face(directory)
    with pytest.raises(ConfigError, match="no classification head"):
        of_hugging_face(directory, load_weights=False)
