from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from weights.model_files import change_json

from npbert.errors import ConfigError, ModelFileError, UnsupportedModelError
from npbert.tasks.saved_classifier import CLASSES
from npbert.tasks.task_files import activation_name, check_head_lossy, read_head, read_task
from tasks.task_models import KERAS, classifier, masked_lm

VALID = ["linear", "softmax"]


@pytest.fixture
def preset(tmp_path):
    classifier(activation="softmax").save_to_preset(tmp_path)
    return tmp_path


def test_a_task(preset):
    found = read_task(preset, CLASSES, KERAS)
    assert list(found) == [
        *("backbone", "preprocessor", "name", "num_classes", "activation", "dropout")
    ]
    assert (found["num_classes"], found["activation"]) == (6, "softmax")


@pytest.mark.parametrize(
    "name",
    ["keras_hub>BertTextClassifier", "keras_nlp>BertClassifier", "keras_nlp>BertTextClassifier"],
)
def test_a_task_of_an_earlier_release(preset, name):
    change_json(preset / "task.json", lambda j: j.update(registered_name=name))
    assert read_task(preset, CLASSES, KERAS)["num_classes"] == 6


def test_no_task_or_another(preset, tmp_path):
    assert read_task(preset, ("BertMaskedLM",), KERAS) is None
    (preset / "task.json").unlink()
    assert read_task(preset, CLASSES, KERAS) is None


def test_a_task_without_config(preset):
    change_json(preset / "task.json", lambda j: j.update(config=None))
    with pytest.raises(ModelFileError, match=r"no config(.|\n)*task.json"):
        read_task(preset, CLASSES, KERAS)


def test_a_task_around_another_backbone(preset):
    def change(saved):
        saved["config"]["backbone"]["config"]["dropout"] = 0.0

    change_json(preset / "task.json", change)
    with pytest.raises(
        ConfigError,
        match=r"backbone of another dropout(.|\n)*task.json(.|\n)*received: 0.0\n  expected: 0.1",
    ):
        read_task(preset, CLASSES, KERAS)


def test_a_task_that_does_not_say_its_backbone(preset):
    change_json(preset / "task.json", lambda j: j["config"].pop("backbone"))
    assert read_task(preset, CLASSES, KERAS)["num_classes"] == 6


def test_a_head_and_none(preset):
    task = classifier()
    head = read_head(preset, task._tensors, KERAS, trust=True)
    assert {name: array.tolist() for name, array in head.items()} == {
        name: array.tolist() for name, array in task._weights.items()
    }
    (preset / "task.weights.h5").unlink()
    with pytest.raises(ModelFileError, match=r"no weights for it(.|\n)*load_weights=False"):
        read_head(preset, task._tensors, KERAS, trust=True)


@pytest.mark.parametrize("trust", [False, "no"])
def test_a_head_that_is_not_trusted(preset, trust):
    task = classifier()
    head = read_head(preset, task._tensors, KERAS, trust=trust)
    for name, array in head.items():
        np.testing.assert_array_equal(array, task._weights[name])


@pytest.mark.parametrize(
    ("saved", "name"),
    [
        (None, "linear"),
        ("softmax", "softmax"),
        ({"class_name": "function", "config": "softmax", "module": "builtins"}, "softmax"),
    ],
)
def test_activation_names(saved, name):
    assert activation_name(saved, VALID, "task.json") == name


@pytest.mark.parametrize("saved", ["relu", 5, {"class_name": "ReLU", "config": {}}, {}])
def test_activations_that_are_not_computed(saved):
    with pytest.raises(
        UnsupportedModelError, match=r"activation is not one(.|\n)*task.json(.|\n)*linear, softmax"
    ):
        activation_name(saved, VALID, "task.json")


def test_what_is_written(preset):
    """What Keras Hub 0.32 writes, the optimizer's two variables included."""
    with h5py.File(preset / "task.weights.h5") as file:
        found: dict[str, object] = {}
        file.visititems(lambda key, node: found.update({key: getattr(node, "shape", None)}))
        assert {key: shape for key, shape in found.items() if shape is not None} == {
            "layers/dense/vars/0": (20, 6),
            "layers/dense/vars/1": (6,),
            "optimizer/vars/0": (),
            "optimizer/vars/1": (),
        }
        assert file["layers/dropout/vars"].attrs["name"] == "classifier_dropout"
        assert file["layers/dense/vars"].attrs["name"] == "logits"
        assert file["vars"].attrs["name"] == "bert_text_classifier"
    saved = json.loads((preset / "task.json").read_text())
    assert saved["module"] == "keras_hub.src.models.bert.bert_text_classifier"
    assert saved["registered_name"] == "keras_hub>BertTextClassifier"
    assert saved["config"]["preprocessor"]["config"]["tokenizer"]["config"]["lowercase"] is True


def test_what_is_written_of_a_masked_lm(tmp_path):
    masked_lm().save_to_preset(tmp_path)
    with h5py.File(tmp_path / "task.weights.h5") as file:
        assert file["layers/masked_lm_head/vars/0"].shape == (32,)
        assert file["layers/masked_lm_head/vars"].attrs["name"] == "mlm_head"
        norm = file["layers/masked_lm_head/_intermediate_layer_norm/vars"]
        assert norm.attrs["name"] == "intermediate_layer_norm"
        assert file["layers/input_layer_3/vars"].attrs["name"] == "mask_positions"


def test_a_head_that_keras_cannot_have(tmp_path):
    check_head_lossy({}, tmp_path, False)
    with pytest.raises(ConfigError, match=r"cannot hold a head with size 5(.|\n)*allow_lossy"):
        check_head_lossy({"size": 5}, tmp_path, False)
    with pytest.warns(UserWarning, match="does not say size 5"):
        check_head_lossy({"size": 5}, tmp_path, True)
