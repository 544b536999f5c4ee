from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import tolerances
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.errors import ConfigError, InputTypeError
from npbert.ops.heads import classifier_head
from npbert.tasks.text_classifier import BertTextClassifier
from npbert.text.preprocessors import BertTextClassifierPreprocessor
from tasks.task_models import (
    CLASSES,
    PAIRS,
    TEXTS,
    backbone,
    classifier,
    inputs,
    tokenizer,
)

pytestmark = pytest.mark.kernel


# -- token ids -------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid", "tanh"])
def test_a_call_is_the_head_on_the_pooled_output(activation):
    task, batch = classifier(activation=activation), inputs()
    out = task(batch)
    assert (out.shape, out.dtype) == ((3, CLASSES), np.float32)
    pooled = task.backbone(batch)["pooled_output"]
    weights = [np.float64(each) for each in task._weights.values()]
    exact = classifier_head(np.float64(pooled), *weights, activation=activation or "linear")
    assert_within(out, exact, 8 * tolerances.ROUNDING)


def test_a_batch_of_none():
    task = classifier()
    assert task(inputs(rows=0)).shape == (0, CLASSES)
    assert task.predict(inputs(rows=0)).shape == (0, CLASSES)
    assert task.predict([]).shape == (0, CLASSES)


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_predict_of_ids_is_a_call(batch_size):
    task, batch = classifier(), inputs(rows=5)
    assert_same_bits(task.predict(batch, batch_size), task(batch))


def test_a_row_without_a_kept_token():
    batch = inputs()
    batch["padding_mask"][1] = 0
    assert np.isfinite(classifier()(batch)).all()


# -- texts -----------------------------------------------------------------------------------------


def test_texts_are_what_their_padded_ids_are():
    """As Keras Hub computes them, filled up to sequence_length."""
    task = classifier()
    for x in (TEXTS, PAIRS):
        with pytest.warns(UserWarning, match=r"cut \d of \d texts after 9 tokens; the longest"):
            out = task.predict(x)
        assert_same_bits(out, task(task.preprocessor(x)))


def test_a_pad_token_inside_a_text_is_masked():
    """Where the tokenizer sees special tokens in texts, Keras Hub masks it."""
    preprocessor = BertTextClassifierPreprocessor(tokenizer(special_tokens_in_strings=True), 9)
    task = classifier()
    task.preprocessor = preprocessor
    texts = ["the [PAD] mill", "the river"]
    padded = preprocessor(texts)
    assert padded["padding_mask"].sum(axis=1).tolist() == [4, 4]
    assert_same_bits(task.predict(texts), task(padded))


@pytest.mark.filterwarnings("ignore:cut")
def test_a_text_s_numbers_do_not_know_the_others():
    task = classifier()
    together = task.predict([*TEXTS, *PAIRS], batch_size=3)
    for x, row in zip([*TEXTS, *PAIRS], together, strict=True):
        alone = task.predict(x)
        assert alone.shape == (CLASSES,)
        assert_same_bits(alone, row)
    two = classifier(backbone=backbone(num_threads=2))
    assert_same_bits(two.predict([*TEXTS, *PAIRS]), together)


@pytest.mark.filterwarnings("ignore:cut")
def test_pairs_as_lists_of_segments():
    task = classifier()
    first, second = zip(*PAIRS, strict=True)
    assert_same_bits(task.predict(([*first], [*second])), task.predict(PAIRS))


def test_a_limit_past_the_position_table():
    """The preprocessor may be made for more tokens than the model has positions."""
    task = classifier()
    task.preprocessor = BertTextClassifierPreprocessor(tokenizer(), 512)
    with pytest.warns(UserWarning, match="cut 1 of 1 texts after 19 tokens"):
        assert np.isfinite(task.predict("the river " * 20)).all()


def test_no_preprocessor():
    task = BertTextClassifier(backbone(), 2)
    with pytest.raises(ConfigError, match=r"no preprocessor(.|\n)*BertTextClassifier.from_preset"):
        task.predict(["a"])


# -- classes by name -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, lambda logits: scipy.special.softmax(logits, axis=-1)),
        ({"problem_type": "single_label_classification"}, scipy.special.softmax),
        ({"problem_type": "multi_label_classification"}, scipy.special.expit),
        ({"problem_type": "regression"}, lambda logits: logits),
        ({"activation": "tanh"}, np.tanh),
    ],
)
def test_classes_by_name(settings, expected):
    labels = [*"uvwxyz"]
    task = classifier(labels=labels, **settings)
    logits = np.float64(classifier().predict("the river"))
    exact = dict(zip(labels, expected(logits), strict=True))
    found = task.classify("the river")
    assert [each["label"] for each in found] == sorted(labels, key=lambda name: -exact[name])
    for each in found:
        assert each["score"] == pytest.approx(exact[each["label"]], rel=1e-5)


def test_classes_without_names():
    task = classifier(1)
    assert [each["label"] for each in task.classify("the")] == ["LABEL_0"]
    logit = float(task.predict("the")[0])
    assert task.classify("the")[0]["score"] == pytest.approx(scipy.special.expit(logit), rel=1e-6)


def test_the_best_classes_of_several_texts():
    task = classifier()
    found = task.classify(["the", "mill"], top_k=2)
    assert [len(each) for each in found] == [2, 2]
    assert found[1] == task.classify("mill")[:2]
    assert task.classify([]) == []
    with pytest.raises(ConfigError, match="top_k must be an int of 1 or more"):
        task.classify("a", top_k=0)


# -- ranking ---------------------------------------------------------------------------------------


def test_ranking():
    task, documents = classifier(1), ["the mill", "stone", "our house", "bridge"]
    scores = [float(task.predict(("old river", text))[0]) for text in documents]
    order = sorted(range(4), key=lambda i: -scores[i])
    found = task.rank("old river", documents)
    assert found == [{"corpus_id": i, "score": scores[i]} for i in order]
    assert all(type(each["score"]) is float for each in found)
    best = task.rank("old river", (text for text in documents), top_k=2, return_documents=True)
    assert best == [{**each, "text": documents[each["corpus_id"]]} for each in found[:2]]


def test_documents_of_one_score_stay_in_their_order():
    found = classifier(1).rank("river", ["mill", "stone", "mill", "mill"])
    assert [each["corpus_id"] for each in found if each["corpus_id"] != 1] == [0, 2, 3]


def test_what_cannot_be_ranked():
    with pytest.raises(ConfigError, match=r"a head with one class(.|\n)*6 classes"):
        classifier().rank("a", ["b"])
    task = classifier(1)
    assert task.rank("a", []) == []
    with pytest.raises(InputTypeError, match=r"a text must be a str(.|\n)*query"):
        task.rank(5, ["b"])
    with pytest.raises(InputTypeError, match=r"inputs\[1\]"):
        task.rank("a", ["b", None])
    with pytest.raises(ConfigError, match="top_k must be"):
        task.rank("a", ["b"], top_k=1.5)
