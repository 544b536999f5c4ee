"""Tasks around backbones of every dtype policy: beside their definitions, and saved and loaded.

The definitions run in float64 on what the backbone returned, and are rounded where Keras's layers
end: there, a kernel has the same number unless the exact one is next to halfway between two.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
from goldens import assert_same_bits as assert_same_arrays
from simd.exact import assert_same_bits
from text.tiny_model import VOCABULARY
from tolerances import assert_within
from weights.model_files import change_json

from npbert.dtype_policy import KERAS as KERAS_POLICIES
from npbert.dtype_policy import DTypePolicy, numpy_dtype
from npbert.errors import WeightError
from npbert.ops.gelu import gelu
from npbert.ops.heads import classifier_head
from npbert.ops.layer_norm import layer_norm
from npbert.ops.pooling import l2_normalize
from npbert.tasks.masked_lm import BertMaskedLM
from npbert.tasks.text_classifier import BertTextClassifier
from npbert.tasks.text_embedder import BertTextEmbedder
from npbert.weights.heads import masked_lm_tensors
from tasks.task_models import (
    CONFIG,
    TEXTS,
    backbone,
    classifier,
    inputs,
    lively,
    masked_lm,
    write_masked_lm,
)
from tasks.tiny_keras import preprocessor

pytestmark = [pytest.mark.kernel, pytest.mark.filterwarnings("ignore:cut 1 of 5 texts")]

STORED = ("float16_from_float32", "bfloat16_from_float32")
POLICIES = (*KERAS_POLICIES, *STORED)
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


@pytest.fixture(scope="module", params=POLICIES)
def model(request):
    """A backbone of this policy; no number of its own is one of 16 bits."""
    return backbone(dtype=request.param)


def rounded(x, policy: DTypePolicy):
    """As every layer of the policy leaves it: ``x`` (float64) itself where that has 32 bits."""
    short = policy.compute_dtype in ("float16", "bfloat16")
    return np.float64(x.astype(numpy_dtype(policy.compute_dtype))) if short else x


def used(task, name: str):
    """A variable as the layer uses it: Keras casts those of a mixed policy."""
    return rounded(np.float64(task._weights[name]), task.backbone.dtype_policy)


def check(ours, exact, policy: DTypePolicy) -> None:
    assert ours.dtype == numpy_dtype(policy.compute_dtype)
    epsilon, largest = EPSILON[policy.compute_dtype], np.abs(exact).max()
    if epsilon > 2.0**-20:
        assert np.mean(np.float64(ours) == exact) > 0.95
        assert_within(ours, exact, 2 * epsilon * largest)
    else:
        assert_within(ours, exact, 16 * epsilon * largest)


# -- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["linear", "softmax", "sigmoid", "tanh"])
def test_classifier(model, activation):
    x, policy = inputs(), model.dtype_policy
    task = classifier(backbone=model, activation=activation)
    pooled = np.float64(model(x, skip_padding=True)["pooled_output"])
    kernel, bias = used(task, "logits/kernel"), used(task, "logits/bias")
    logits = rounded(classifier_head(pooled, kernel, bias, activation="linear"), policy)
    unit = np.eye(len(bias))
    exact = classifier_head(logits, unit, 0 * bias, activation=activation)
    check(task(x), rounded(exact, policy), policy)
    assert task.predict(TEXTS).dtype == task.predict([]).dtype == task(x).dtype


def test_masked_lm(model):
    task, x, policy = masked_lm(backbone=model), inputs(places=5), model.dtype_policy
    found = task(x)
    places = x.pop("mask_positions")[:, :, None]
    hidden = np.float64(np.take_along_axis(model(x)["sequence_output"], places, axis=1))
    w = {name.removeprefix("mlm_head/"): used(task, name) for name in task._weights}
    dense = hidden @ w["intermediate_dense/kernel"] + w["intermediate_dense/bias"]
    wide = rounded(gelu(rounded(dense, policy)), policy)
    norm = {
        each: np.float64(task._weights[f"mlm_head/intermediate_layer_norm/{each}"])
        for each in ("gamma", "beta")
    }
    normal = rounded(layer_norm(wide, **norm, epsilon=1e-5), policy)
    table = rounded(np.float64(model.token_embedding.embeddings), policy)
    bias = np.float64(task._weights["mlm_head/output_bias"])
    check(found, rounded(normal @ table.T + bias, policy), policy)


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
@pytest.mark.parametrize("normalize", [True, False])
def test_text_embedder(model, mode, normalize):
    task, policy = BertTextEmbedder(model, preprocessor(), mode, normalize), model.dtype_policy
    x = preprocessor()(TEXTS)
    hidden, kept = np.float64(model(x)["sequence_output"]), np.asarray(x["padding_mask"])[..., None]
    pooled = {
        "mean": (hidden * kept).sum(axis=1) / kept.sum(axis=1),
        "cls": hidden[:, 0],
        "max": np.where(kept, hidden, -np.inf).max(axis=1),
    }[mode]
    exact = rounded(pooled, policy)
    found = task(x)
    check(found, rounded(l2_normalize(exact), policy) if normalize else exact, policy)
    assert_same_bits(task.predict(TEXTS), found)
    vectors = task._embedder().encode(TEXTS)
    assert vectors.dtype == (np.float64 if policy.compute_dtype == "float64" else np.float32)
    assert_same_bits(vectors.astype(found.dtype), found)
    alike = task.similarity(found, found)
    check(alike, rounded(np.float64(found) @ np.float64(found).T, policy), policy)


def test_token_embedding(model):
    policy, table = model.dtype_policy, model.token_embedding.embeddings
    assert table.dtype == numpy_dtype(policy.variable_dtype)
    assert_same_arrays({"t": table}, {"t": dict(model.weights())["token_embedding/embeddings"]})
    ids = np.array([[3, 1, 2], [7, 7, 0]])
    found = model.token_embedding(ids)
    assert found.dtype == numpy_dtype(policy.compute_dtype)
    exact = rounded(np.float64(table), policy)
    np.testing.assert_array_equal(np.float64(found), exact[ids])
    logits = model.token_embedding(found, reverse=True)
    check(logits, rounded(exact[ids] @ exact.T, policy), policy)


def test_probabilities_are_those_of_the_numbers_returned(model):
    """They are not rounded to 16 bits: many would be the same."""
    task = classifier(backbone=model)
    logits = np.float64(task.predict(TEXTS[:1]))[0]
    exact = np.exp(logits) / np.exp(logits).sum()
    scores = sorted((each["score"] for each in task.classify(TEXTS[0])), reverse=True)
    np.testing.assert_allclose(scores, np.sort(exact)[::-1], rtol=1e-6)
    filled = masked_lm(backbone=model).fill_mask("the [MASK] runs", top_k=len(VOCABULARY))
    assert sum(each["score"] for each in filled) == pytest.approx(1, abs=1e-6)


def test_documents_are_ranked_by_the_numbers_returned(model):
    task = classifier(1, backbone=model)
    found = task.rank("the mill", TEXTS)
    scores = np.float64(task.predict([("the mill", text) for text in TEXTS]))[:, 0]
    assert [each["score"] for each in found] == sorted(scores, reverse=True)
    assert {type(each["score"]) for each in found} == {float}


# -- weights and files -----------------------------------------------------------------------------


def test_variables_have_the_variable_dtype(model):
    dtype = numpy_dtype(model.variable_dtype)
    fresh = BertTextClassifier(model, 5, seed=3)
    for task in (fresh, classifier(backbone=model), masked_lm(backbone=model)):
        assert {array.dtype for _, array in task.weights()} == {dtype}
    given = lively(masked_lm_tensors(model.config), 3)
    task = masked_lm(backbone=model)
    assert_same_arrays(task._weights, {name: each.astype(dtype) for name, each in given.items()})


@pytest.mark.parametrize("make", [classifier, masked_lm])
def test_saved_and_loaded(model, make, tmp_path):
    """In the policy's own dtype; npbert's own policies become float32, which Keras knows."""
    task, places = make(backbone=model), 5 if make is masked_lm else 0
    task.save_to_preset(tmp_path)
    again = type(task).from_preset(tmp_path, num_threads=1)
    name = model.dtype_policy.name
    assert again.backbone.dtype_policy.name == ("float32" if name in STORED else name)
    if name not in STORED:
        assert_same_arrays(dict(again.weights()), dict(task.weights()))
        assert again.get_config() == task.get_config()
    again = type(task).from_preset(tmp_path, num_threads=1, dtype=name)
    assert_same_arrays(dict(again.weights()), dict(task.weights()))
    x = inputs(places=places)
    assert_same_bits(again(x), task(x))
    assert_same_bits(copy.deepcopy(task)(x), task(x))


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_saved_in_another_dtype(dtype, tmp_path):
    task = classifier()
    task.save_to_preset(tmp_path, dtype=dtype)
    again = BertTextClassifier.from_preset(tmp_path)
    assert again.backbone.dtype_policy.name == dtype
    kernel = again._weights["logits/kernel"]
    assert kernel.dtype == numpy_dtype(dtype)
    assert_same_bits(kernel, task._weights["logits/kernel"].astype(kernel.dtype))


def test_a_number_that_is_too_large():
    task = classifier(backbone=backbone(dtype="float16"))
    large = {name: each.astype(np.float32) + 1e5 for name, each in task._weights.items()}
    with pytest.raises(WeightError, match="values too large for float16"):
        task.set_head_weights(large)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
def test_hugging_face_s_masked_lm(policy, tmp_path):
    """Whether the file's second table is the model's is asked of the variables, as they are."""
    source = backbone(CONFIG, seed=9)
    tied = write_masked_lm(tmp_path / "tied")
    table = BertMaskedLM.from_preset(tied).backbone.token_embedding.embeddings
    for weight in (table, source.token_embedding.embeddings):
        directory = write_masked_lm(tmp_path / "own", weight=weight)
        change_json(directory / "config.json", lambda j: j.update(tie_word_embeddings=False))
        task = BertMaskedLM.from_preset(directory, dtype=policy)
        assert (task._own_table is None) == (weight is table)
        assert task(inputs(places=5)).dtype == numpy_dtype(policy.removeprefix("mixed_"))
    own = task._own_table
    found = own(np.arange(4))
    np.testing.assert_array_equal(found, weight[:4].astype(found.dtype))
