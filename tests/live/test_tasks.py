"""Classifiers and masked LMs beside those of Keras Hub, transformers and sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tolerances
from live.peers import Peers, save
from live.tasks_shared import (
    ACTIVATIONS,
    CLASSES,
    DOCUMENTS,
    FIRST,
    MASKED,
    PAIRS,
    POLICIES,
    PROBLEMS,
    QUERY,
    SECOND,
    TEXTS,
    inputs,
    without_places,
)
from text.tiny_model import VOCABULARY

import npbert
from npbert.tasks.masked_lm import BertMaskedLM
from npbert.tasks.text_classifier import BertTextClassifier
from npbert.tasks.text_embedder import BertTextEmbedder
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessors import BertMaskedLMPreprocessor, BertTextClassifierPreprocessor

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore:cut")]


def lively(seed: int) -> npbert.BertBackbone:
    """A model with weights of order 1."""
    model = npbert.BertBackbone(len(VOCABULARY), 3, 4, 20, 37, max_sequence_length=19)
    random = np.random.default_rng([seed, 6])
    weights = {
        name: array if name.endswith("gamma") else random.standard_normal(array.shape) * 0.3
        for name, array in model.weights()
    }
    return npbert.BertBackbone.from_weights(model.config, weights)


@pytest.fixture(scope="module")
def peers(tmp_path_factory, seed):
    work = tmp_path_factory.mktemp("tasks")
    backbone, tokenizer = lively(seed), BertTokenizer(VOCABULARY, lowercase=True)
    random = np.random.default_rng([seed, 7])
    tasks: dict[str, Any] = {
        f"classifier_{activation}": BertTextClassifier(
            backbone, CLASSES, BertTextClassifierPreprocessor(tokenizer, 12), activation
        )
        for activation in ACTIVATIONS
    }
    tasks["masked_lm"] = BertMaskedLM(backbone, BertMaskedLMPreprocessor(tokenizer, 14))
    for name, task in tasks.items():
        head = {t.name: random.standard_normal(t.shape) * 0.4 for t in task._tensors}
        task.set_head_weights(head)
        task.save_to_preset(work / name)
    save(work, "inputs", inputs(seed))
    modules = {"tensorflow": "live.tasks_keras_worker", "torch": "live.tasks_torch_worker"}
    started = Peers(work, seed, modules)
    yield started
    started.stop()


def close(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Two computations in float32, both of an encoder and a head; how far apart."""
    assert ours.shape == theirs.shape
    far = float(np.abs(ours - theirs).max(initial=0))
    assert far <= tolerances.HEADS_FLOAT32 * max(1.0, float(np.abs(theirs).max(initial=0)))
    return far


KERAS = [f"classifier_{activation}" for activation in ACTIVATIONS]


@pytest.mark.parametrize("again", ["", "_again", ".keras"])
@pytest.mark.parametrize("name", [*KERAS, "made_classifier"])
def test_keras_hub_s_classifier(peers, seed, name, again, measured):
    """Saved by npbert or made by Keras Hub; read from what either saved, in both formats."""
    if name == "made_classifier" and not again:
        again = "_again"
    theirs = peers.arrays("tensorflow", name)
    task = BertTextClassifier.from_preset(peers.work / f"{name}{again}")
    far = [
        close(task(without_places(inputs(seed))), theirs["ids"]),
        close(task.predict(TEXTS), theirs["texts"]),
        close(task.predict((FIRST, SECOND)), theirs["pairs"]),
    ]
    assert task.predict(PAIRS).tobytes() == task.predict((FIRST, SECOND)).tobytes()
    measured(f"{name}{again}: {max(far):.1e} from Keras Hub")


@pytest.mark.parametrize("again", ["", "_again", ".keras"])
@pytest.mark.parametrize("name", ["masked_lm", "made_masked_lm"])
def test_keras_hub_s_masked_lm(peers, seed, name, again, measured):
    if name == "made_masked_lm" and not again:
        again = "_again"
    theirs = peers.arrays("tensorflow", name)
    task = BertMaskedLM.from_preset(peers.work / f"{name}{again}")
    measured(f"{name}{again}: {close(task(inputs(seed)), theirs['ids']):.1e} from Keras Hub")
    filled = task.fill_mask("the [MASK] runs", top_k=len(VOCABULARY))
    assert sum(each["score"] for each in filled) == pytest.approx(1, abs=1e-5)


def in_policy(work: Path, policy: str) -> dict[str, Any]:
    classifier = BertTextClassifier.from_preset(work / "classifier_softmax", dtype=policy)
    return {
        "classifier": classifier,
        "embedder": BertTextEmbedder(classifier.backbone),
        "masked_lm": BertMaskedLM.from_preset(work / "masked_lm", dtype=policy),
    }


def in_float64(task: Any) -> Any:
    """The same, of the variables as the task's policy keeps them."""
    wide = [{n: np.float64(a) for n, a in of} for of in (task.backbone.weights(), task.weights())]
    encoder = npbert.BertBackbone.from_weights(task.backbone.config, wide[0], dtype="float64")
    if isinstance(task, BertTextClassifier):
        exact: Any = BertTextClassifier(encoder, CLASSES, activation=task.activation)
    else:
        exact = type(task)(encoder)
    exact.set_head_weights({name: wide[1][name] for name in wide[1].keys() - wide[0].keys()})
    return exact


def rms(error: np.ndarray) -> np.ndarray:  # (B, ...) -> (B,)
    return np.sqrt(np.square(error).reshape(len(error), -1).mean(axis=1))


def test_keras_hub_s_tasks_in_16_bits(peers, seed, measured):
    """No further from float64 than Keras Hub, over the texts of which anything is kept."""
    x, ratios = inputs(seed), []
    kept = x["padding_mask"].any(axis=1)
    for policy in POLICIES[:-1]:
        theirs = peers.arrays("tensorflow", policy)
        for name, task in in_policy(peers.work, policy).items():
            arguments = x if name == "masked_lm" else without_places(x)
            ours, exact = task(arguments), in_float64(task)(arguments)
            assert ours.dtype.name == theirs["dtype"]
            if name in theirs:
                errors = [rms((np.float64(e) - exact)[kept]) for e in (ours, theirs[name])]
                ratios.append(np.log(errors[0] / errors[1]))
                ratio = np.exp(ratios[-1].mean())
                measured(f"{name} in {policy}: {ratio:.2f} of Keras Hub's error")
    assert np.exp(np.mean(ratios)) <= tolerances.ACCURACY_MEAN


def test_keras_hub_s_tasks_in_float64(peers, seed, measured):
    theirs, x = peers.arrays("tensorflow", "float64"), inputs(seed)
    for name, task in in_policy(peers.work, "float64").items():
        ours = task(x if name == "masked_lm" else without_places(x))
        assert ours.dtype.name == theirs["dtype"]
        far = np.abs(ours - theirs[name]).max()
        measured(f"{name} in float64: {far:.1e} from Keras Hub")
        assert far <= tolerances.REFERENCE_CONSTANTS


MASKED_LMS = ["hf_masked_lm", "hf_masked_lm_tanh", "hf_untied", "hf_pretraining"]


@pytest.mark.parametrize("name", ["hf_classifier", *MASKED_LMS])
def test_transformers_heads(peers, seed, name, measured):
    theirs = peers.arrays("torch", name)["ids"]
    x = inputs(seed)
    if name in MASKED_LMS:
        ours = BertMaskedLM.from_preset(peers.work / name)(x)
    else:
        ours = BertTextClassifier.from_preset(peers.work / name)(without_places(x))
    measured(f"{name}: {close(ours, theirs):.1e} from transformers")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_transformers_text_classification(peers, problem):
    peers.wait("torch")
    theirs = json.loads((peers.work / f"{problem}.json").read_text())
    ours = BertTextClassifier.from_preset(peers.work / problem).classify(TEXTS)
    for row, expected in zip(ours, theirs, strict=True):
        assert [each["label"] for each in row] == [each["label"] for each in expected]
        close(*(np.array([each["score"] for each in rows]) for rows in (row, expected)))


def test_transformers_fill_mask(peers):
    peers.wait("torch")
    theirs = json.loads((peers.work / "hf_masked_lm.json").read_text())
    ours = BertMaskedLM.from_preset(peers.work / "hf_masked_lm").fill_mask(MASKED, top_k=7)
    for text, filled, expected in zip(MASKED, ours, theirs, strict=True):
        rows = zip(*([each] if text.count("[MASK]") == 1 else each for each in (filled, expected)))
        for row, other in rows:
            for each, one in zip(row, other, strict=True):
                assert each == {**one, "score": pytest.approx(one["score"], rel=2e-5)}


@pytest.mark.parametrize("name", ["reranker", "reranker_identity", "reranker_three"])
def test_sentence_transformers_predict(peers, name, measured):
    theirs = peers.arrays("torch", name)["pairs"]
    task = BertTextClassifier.from_preset(peers.work / name)
    ours = task.predict(PAIRS)
    far = close(ours[:, 0] if name != "reranker_three" else ours, theirs)
    measured(f"{name}: {far:.1e} from CrossEncoder")


@pytest.mark.parametrize("name", ["reranker", "reranker_identity"])
def test_sentence_transformers_rank(peers, name):
    peers.wait("torch")
    theirs = json.loads((peers.work / f"{name}.json").read_text())
    task = BertTextClassifier.from_preset(peers.work / name)
    ours = task.rank(QUERY, DOCUMENTS, top_k=3, return_documents=True)
    for each, one in zip(ours, theirs, strict=True):
        assert each == {**one, "score": pytest.approx(one["score"], rel=2e-5, abs=1e-6)}
