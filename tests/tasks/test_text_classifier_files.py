"""How a classifier is made, saved and loaded."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.special
from goldens import assert_same_bits as assert_same_arrays
from simd.exact import assert_same_bits

from npbert.backbone import BertBackbone
from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.tasks.text_classifier import BertTextClassifier
from tasks.task_models import (
    CLASSES,
    CONFIG,
    KERAS,
    PAIRS,
    backbone,
    classifier,
    inputs,
    masked_lm,
    write_classifier,
)

pytestmark = pytest.mark.kernel


# -- making one ------------------------------------------------------------------------------------


def test_the_head_is_random_until_it_is_given_weights():
    same, other = (BertTextClassifier(backbone(), 3, seed=seed) for seed in (5, 6))
    assert_same_arrays(
        dict(same.weights()), dict(BertTextClassifier(backbone(), 3, seed=5).weights())
    )
    assert not np.array_equal(same(inputs()), other(inputs()))
    assert [name for name, _ in same.weights()][-2:] == ["logits/kernel", "logits/bias"]
    assert same.count_params() == backbone().count_params() + 63


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"num_classes": 0}, ConfigError, "num_classes must be an int of 1 or more"),
        ({"activation": "relu"}, ConfigError, "unknown activation 'relu'"),
        ({"dropout": 2}, ConfigError, "dropout must be a number"),
        ({"labels": ["a"]}, ConfigError, "labels must be one str for each class"),
        ({"seed": -1}, ConfigError, "seed must be None or an int"),
        ({"name": 5}, ConfigError, "name must be a str"),
        ({"dropot": 0.1}, ConfigError, "unknown argument 'dropot'(.|\n)*'dropout'"),
        ({"backbone": 5}, InputTypeError, "takes a BertBackbone(.|\n)*int"),
        ({"preprocessor": 5}, InputTypeError, "of another kind than the task needs"),
        (
            {"preprocessor": masked_lm().preprocessor},
            InputTypeError,
            "None or a BertTextClassifierPreprocessor",
        ),
    ],
)
def test_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        BertTextClassifier(**{"backbone": backbone(), "num_classes": 2, **arguments})


def test_a_tokenizer_of_another_model():
    small = BertBackbone(9, 1, 1, 4, 5)
    with pytest.raises(ValueError, match="tokenizer does not belong to the model"):
        BertTextClassifier(small, 2, classifier().preprocessor)


def test_a_backbone_without_pooler():
    weights = {n: w for n, w in backbone().weights() if not n.startswith("pooled_dense")}
    model = BertBackbone.from_weights(KERAS, weights, num_threads=1)
    with pytest.raises(ConfigError, match="no pooler, and so no vector of a whole text"):
        BertTextClassifier(model, 2)


@pytest.mark.parametrize("batch_size", [0, 2.0, True, None])
def test_batch_sizes(batch_size):
    with pytest.raises(ConfigError, match="batch_size must be an int of 1 or more"):
        classifier().predict(["a"], batch_size)


def test_unknown_keywords():
    task = classifier()
    for call in (task.predict, task.classify, BertTextClassifier.from_preset):
        with pytest.raises(ConfigError, match="unknown argument 'verbose'"):
            call("a", verbose=0)
    with pytest.raises(ConfigError, match=r"'show_progress'(.|\n)*'show_progress_bar'"):
        task.rank("a", ["b"], show_progress=True)


def test_unknown_keywords_of_saving(tmp_path):
    for task in (classifier(), masked_lm()):
        with pytest.raises(ConfigError, match=r"unknown argument 'max_shard'(.|\n)*max_shard_size"):
            task.save_to_preset(tmp_path, max_shard=5)


def test_bad_ids():
    task, batch = classifier(), inputs()
    batch["token_ids"] += 99
    with pytest.raises(InputError, match="id out of range"):
        task.predict(batch)
    with pytest.raises(InputError, match="lacks padding_mask"):
        task({"token_ids": [[1]], "segment_ids": [[0]]})


def test_other_head_weights():
    task = classifier()
    before = task(inputs())
    task.set_head_weights({"logits/kernel": np.zeros((20, 6)), "logits/bias": np.arange(6)})
    assert task(inputs()).tolist() == [[0, 1, 2, 3, 4, 5]] * 3
    with pytest.raises(ValueError, match="1 tensor is missing"):
        task.set_head_weights({"logits/kernel": np.ones((20, 6))})
    assert task(inputs()).tolist() == [[0, 1, 2, 3, 4, 5]] * 3
    assert not np.array_equal(before, task(inputs()))


def test_a_copy_computes_the_same():
    task = classifier(activation="softmax")
    assert_same_bits(pickle.loads(pickle.dumps(task))(inputs()), task(inputs()))


def test_progress(capsys):
    classifier().predict(["the river"], show_progress_bar=True)
    assert "Classifying" in capsys.readouterr().err


# -- files -----------------------------------------------------------------------------------------


def test_config():
    task = classifier(activation="sigmoid", dropout=0.2, name="mine")
    config = task.get_config()
    assert list(config) == [
        *("backbone", "preprocessor", "name", "num_classes", "activation", "dropout")
    ]
    assert config["backbone"]["registered_name"] == "keras_hub>BertBackbone"
    assert config["backbone"]["config"]["hidden_dim"] == 20
    assert (config["name"], config["num_classes"], config["activation"]) == ("mine", 6, "sigmoid")


def test_saved_and_loaded(tmp_path):
    task = classifier(activation="softmax", dropout=0.2, name="mine")
    task.save_to_preset(tmp_path / "preset")
    again = BertTextClassifier.from_preset(tmp_path / "preset", num_threads=1)
    assert again.get_config() == task.get_config()
    assert_same_arrays(dict(again.weights()), dict(task.weights()))
    assert_same_bits(again.predict(["the river"]), task.predict(["the river"]))


def test_saved_without_preprocessor(tmp_path):
    task = BertTextClassifier(backbone(), 3, seed=1)
    task.save_to_preset(tmp_path)
    assert not (tmp_path / "tokenizer.json").exists()
    again = BertTextClassifier.from_preset(tmp_path, num_threads=1)
    assert again.preprocessor is None
    assert_same_bits(again(inputs()), task(inputs()))


def test_a_failure_leaves_what_was_there(tmp_path):
    task = classifier()
    task.save_to_preset(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    task.set_head_weights({"logits/kernel": np.full((20, 6), 1e30), "logits/bias": np.ones(6)})
    with pytest.raises(ValueError, match="too large for float16"):
        task.save_to_preset(tmp_path, dtype="float16")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


def test_hugging_face_s(tmp_path):
    directory = write_classifier(tmp_path / "m")
    task = BertTextClassifier.from_preset(directory, num_threads=1)
    assert task.labels == tuple(f"class {i}" for i in range(CLASSES))
    assert (task.activation, task.num_classes, task.backbone.config) == ("linear", CLASSES, CONFIG)
    out = task.predict([("the river", "an old mill"), "stone"])
    assert out.shape == (2, CLASSES)
    assert task.classify("stone", top_k=1)[0]["label"].startswith("class ")
    with pytest.raises(ConfigError, match="cannot hold activation 'gelu'"):
        task.save_to_preset(tmp_path / "out")
    with (
        pytest.warns(UserWarning, match="does not say activation 'gelu'"),
        pytest.warns(UserWarning, match="tokenizer is Hugging Face's"),
    ):
        task.save_to_preset(tmp_path / "out", allow_lossy=True)
    assert BertTextClassifier.from_preset(tmp_path / "out").preprocessor is None


def test_hugging_face_s_reranker(tmp_path):
    """One class: a sigmoid, as sentence-transformers has it."""
    directory = write_classifier(tmp_path / "m", 1)
    task = BertTextClassifier.from_preset(directory, num_threads=1)
    assert task.activation == "sigmoid"
    logits = BertTextClassifier.from_preset(directory, activation="linear", num_threads=1)
    pairs = PAIRS[:1]
    expected = scipy.special.expit(np.float64(logits.predict(pairs)))
    np.testing.assert_allclose(task.predict(pairs), expected, rtol=1e-6)
    assert [r["corpus_id"] for r in task.rank("the", ["mill", "river"])] == [
        r["corpus_id"] for r in logits.rank("the", ["mill", "river"])
    ]


def test_random_weights(tmp_path):
    classifier().save_to_preset(tmp_path)
    task = BertTextClassifier.from_preset(tmp_path, load_weights=False, seed=3, num_threads=1)
    again = BertTextClassifier.from_preset(tmp_path, load_weights=False, seed=3, num_threads=1)
    assert_same_bits(task._weights["logits/kernel"], again._weights["logits/kernel"])
    built_in = BertTextClassifier.from_preset(
        "bert_tiny_en_uncased", load_weights=False, num_classes=2, num_threads=1
    )
    assert built_in.preprocessor is None
    assert built_in.backbone.config.hidden_dim == 128
