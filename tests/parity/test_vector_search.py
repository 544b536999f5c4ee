"""Other vectors, and why; `test_diagnose` has what is said of them."""

from __future__ import annotations

import numpy as np
import pytest
from parity import text_side
from parity.text_side import CONFIG, TEXTS, TextSide

from npbert.parity.arbiter import Model
from npbert.parity.mistakes.pooling import POOLING, VECTOR, Way
from npbert.parity.vector_search import Texts, padded_ids

WEIGHTS = text_side.weights()
MEAN = Way("mean pooling", "normalized to length 1")
BARE = (VECTOR,)
LIMITS = {POOLING: 1e-5, VECTOR: 1e-5}


def texts(a=None, b=None):
    a, b = TextSide(WEIGHTS, **(a or {})), TextSide(WEIGHTS, **(b or {}))
    stages = [side.encode(TEXTS) for side in (a, b)]
    return Texts(TEXTS, a, b, stages, Model(CONFIG, WEIGHTS, "a"), LIMITS)


def test_the_ways_of_both_sides():
    wrong = {"pooling": "max", "normalized": False}
    for shows in (BARE, ("sequence_output", VECTOR)):
        known = texts(b={**wrong, "shows": shows})
        assert known.ways() == [MEAN, Way("max pooling", "not normalized")]
        assert known.bare == (shows == BARE)
        found = known.compare_ways(*known.ways())
        assert [each.cause for each in found] == ["pooling", "normalization"]
        assert all(each.after < 1e-6 < each.before for each in found)


def test_the_shortest_texts_that_differ_are_looked_at():
    known = texts(b={"lowercase": False, "strip_accents": False})
    assert known.texts == [t for t in TEXTS if t != t.lower() or not t.isascii()][:2]
    assert len(texts(b={"pooling": "cls"}).texts) == 4


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"limit": 7}, "max_length"),
        ({"special": False}, "special_tokens_missing"),
        ({"padded_to": 12}, "padding_attended"),
        ({"prompt": "query: "}, "prompt"),
        ({"lowercase": False}, "lower_case"),
    ],
)
def test_what_is_done_to_texts(wrong, cause):
    found = texts(b={**wrong, "shows": BARE}).explain(MEAN)
    assert found.cause == cause
    assert found.after <= 1e-5 < found.before
    assert found.says.startswith("a " if cause == "prompt" else "b ")


def test_a_model_that_is_another_is_no_matter_of_texts():
    known = texts(b={"activation": "gelu_approximate", "shows": BARE})
    assert known.ways() == [MEAN, None]
    assert known.explain(MEAN) is None
    a, b = known.suspects(MEAN)
    assert not a.off(VECTOR)
    assert b.off(VECTOR)
    assert b.explain(VECTOR).cause == "gelu_tanh"


def test_a_record_is_not_asked():
    known = texts(a={"recorded": {}}, b={"recorded": {}, "pooling": "cls"})
    assert known.ways() == [None, None]
    assert known.explain(MEAN) is None


def test_padding():
    made = padded_ids([[1, 2, 3], [4]], 5)
    np.testing.assert_array_equal(made["token_ids"], [[1, 2, 3, 0, 0], [4, 0, 0, 0, 0]])
    np.testing.assert_array_equal(made["padding_mask"].sum(axis=1), [3, 1])
    assert padded_ids([[1, 2, 3]], 2)["token_ids"].shape == (1, 3)


def test_pooling_alone_may_differ():
    """Divided by its length, a sum is a mean."""

    class Summed(TextSide):
        def encode(self, texts):
            shown = super().encode(texts)
            lengths = np.array([len(ids) for ids in self._tokens(texts).ids])[:, None]
            return {**shown, POOLING: shown[POOLING] * np.sqrt(lengths)}

    a, b = TextSide(WEIGHTS), Summed(WEIGHTS)
    stages = [side.encode(TEXTS) for side in (a, b)]
    known = Texts(TEXTS, a, b, stages, Model(CONFIG, WEIGHTS, "a"), LIMITS, POOLING)
    [found] = known.compare_ways(*known.ways())
    assert found.cause == "pooling"
    assert "mean_sqrt_len_tokens pooling, where mean pooling is a's" in found.says
