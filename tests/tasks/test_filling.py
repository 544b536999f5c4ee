from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from text.tiny_model import VOCABULARY

from npbert.errors import ConfigError, InputError
from npbert.tasks.filling import (
    _ROWS,
    Best,
    _largest,
    best_tokens,
    check_top_k,
    fillings,
    mask_places,
    reader_of_masks,
)
from npbert.text.preprocessors import BertMaskedLMPreprocessor
from tasks.task_models import LENGTH, tokenizer

THE, RIVER, MASK = VOCABULARY.index("the"), VOCABULARY.index("river"), VOCABULARY.index("[MASK]")


def encoded(*texts, length=LENGTH):
    return tokenizer(special_tokens_in_strings=True).encode(texts, length)


def test_top_k():
    assert check_top_k(3, 3) == 3
    with pytest.raises(ConfigError, match=r"top_k is more than the vocabulary(.|\n)*4(.|\n)*3"):
        check_top_k(4, 3)
    with pytest.raises(ConfigError, match="top_k must be an int of 1 or more"):
        check_top_k(0, 3)


def test_a_tokenizer_that_sees_the_mask():
    plain = BertMaskedLMPreprocessor(tokenizer(strip_accents=True), LENGTH, "waterfall")
    assert MASK not in plain.tokenizer.encode(["the [MASK]"], LENGTH).ids[0]
    found = reader_of_masks(plain)
    assert found.tokenizer.encode(["thé [MASK]"], LENGTH).ids[0].tolist() == [2, THE, MASK, 3]
    assert (found.sequence_length, found.truncate) == (LENGTH, "waterfall")
    assert reader_of_masks(found) is found


def test_a_tokenizer_that_sees_the_mask_is_made_once():
    plain = BertMaskedLMPreprocessor(tokenizer(), LENGTH)
    made = reader_of_masks(plain).tokenizer
    plain.sequence_length = 5
    again = reader_of_masks(plain)
    assert (again.tokenizer, again.sequence_length) == (made, 5)
    plain.tokenizer = tokenizer(strip_accents=True)
    assert reader_of_masks(plain).tokenizer.settings.strip_accents
    gone = weakref.ref(made)
    del made, again, plain
    gc.collect()
    assert gone() is None


def test_places():
    found = mask_places(encoded("the [MASK]", "[MASK] the [MASK]"), tokenizer())
    assert [each.tolist() for each in found] == [[2], [1, 3]]


def test_a_text_without_a_mask():
    with pytest.raises(
        InputError, match=r"has no \[MASK\].(.|\n)*inputs\[1\](.|\n)*write \[MASK\]"
    ):
        mask_places(encoded("[MASK]", "the river"), tokenizer())
    long = "the river " * 5 + "[MASK]"
    with pytest.raises(InputError, match=r"has no \[MASK\] in the part of it that is read"):
        mask_places(encoded(long), tokenizer())


def test_a_tokenizer_without_a_mask():
    class Without:
        mask_token_id = None

    with pytest.raises(ConfigError, match="no token that stands for a hidden one"):
        mask_places(encoded("the"), Without())


def test_the_largest_and_of_equal_ones_the_first():
    values = np.float32([0.1, 0.3, 0.3, 0.0, 0.3, 0.2])
    for count, expected in enumerate(([1], [1, 2], [1, 2, 4], [1, 2, 4, 5]), 1):
        assert _largest(values, count).tolist() == expected
    assert _largest(values, 6).tolist() == [1, 2, 4, 5, 0, 3]


@pytest.mark.kernel
def test_probabilities_in_several_pieces():
    """More masks than are computed at once."""
    random = np.random.default_rng(0)
    logits = np.float32(random.standard_normal((_ROWS + 3, 37)))
    best = best_tokens(np.arange(_ROWS + 3)[:, None], lambda rows: logits[rows[:, 0]], 37, 4)
    exact = np.exp(np.float64(logits))
    exact /= exact.sum(axis=1, keepdims=True)
    order = np.argsort(-exact, axis=1)[:, :4]
    np.testing.assert_array_equal(best.ids, order)
    np.testing.assert_allclose(best.scores, np.take_along_axis(exact, order, 1), rtol=1e-6)


def test_fillings_of_one_mask():
    (ids,) = encoded("the [MASK] runs").ids
    best = Best(np.array([[RIVER, THE]]), np.float32([[0.5, 0.25]]))
    assert fillings(ids, np.array([2]), best, tokenizer()) == [
        {"score": 0.5, "token": RIVER, "token_str": "river", "sequence": "the river runs"},
        {"score": 0.25, "token": THE, "token_str": "the", "sequence": "the the runs"},
    ]


def test_fillings_of_several_masks():
    """The other masks, and all special tokens, are seen."""
    (ids,) = encoded("[MASK] [MASK]").ids
    best = Best(np.array([[THE], [RIVER]]), np.float32([[0.5], [0.25]]))
    first, second = fillings(ids, np.array([1, 2]), best, tokenizer())
    assert [each["sequence"] for each in first] == ["[CLS] the [MASK] [SEP]"]
    assert [each["sequence"] for each in second] == ["[CLS] [MASK] river [SEP]"]
    assert second[0]["token_str"] == "river"
