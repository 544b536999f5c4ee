"""From a report to a sentence: tokens, ops, vectors, weights, and what is left unknown."""

from __future__ import annotations

import numpy as np
import pytest
from parity import text_side
from parity.text_side import TEXTS, TextSide

from npbert.parity.compare import compare
from npbert.parity.diagnose import _rows

WEIGHTS = text_side.weights()
BARE = ("text.vector",)
"""What a server shows."""


def diagnosis(**wrong):
    a, b = TextSide(WEIGHTS), TextSide(WEIGHTS, **wrong)
    report = compare(a, b, texts=TEXTS)
    assert report.verdict == "differ"
    return report.diagnosis


@pytest.mark.parametrize("shows", [("sequence_output", "text.vector"), BARE])
@pytest.mark.parametrize(
    ("wrong", "cause", "says"),
    [
        ({"lowercase": False, "strip_accents": False}, "lower_case_and_accents", "b does not"),
        ({"lowercase": False}, "lower_case", "b does not lower-case texts, and a does"),
        ({"strip_accents": False}, "accents", "b does not strip accents, and a does"),
        ({"split_on_cjk": False}, "cjk", "b does not make each CJK character a word"),
        ({"limit": 7}, "max_length", "b cuts texts at 7 tokens"),
        ({"special": False}, "special_tokens_missing", "b adds neither [CLS] nor [SEP]"),
        ({"prompt": "query: "}, "prompt", "b "),
    ],
)
def test_what_is_done_to_texts(wrong, cause, says, shows):
    found = diagnosis(**wrong, shows=shows)
    assert found.cause == cause, found
    assert says in found.sentence or shows == BARE
    assert found.fix
    assert found.error_after < found.error_before


@pytest.mark.parametrize("shows", [("sequence_output", "text.vector"), BARE])
@pytest.mark.parametrize(
    ("wrong", "cause", "says"),
    [
        ({"pooling": "cls"}, "pooling", "text.pooling is cls pooling, where mean pooling is a's"),
        ({"pooling": "max"}, "pooling", "text.pooling is max pooling"),
        (
            {"normalized": False},
            "normalization",
            "text.vector is not normalized",
        ),
    ],
)
def test_what_is_done_to_vectors(wrong, cause, says, shows):
    found = diagnosis(**wrong, shows=shows)
    assert found.cause == cause, found
    assert says in found.sentence
    assert found.stage == "text.vector"
    assert found.error_after < found.error_before / 5


def test_padding_that_is_attended_to():
    found = diagnosis(padded_to=12, shows=BARE)
    assert found.cause in ("padding_attended", "mean_over_padding"), found


def test_a_servers_activation():
    found = diagnosis(activation="gelu_approximate", shows=BARE)
    assert found.cause == "gelu_tanh", found
    assert "comes from layers whose activation is the tanh GELU" in found.sentence


def test_pooling_and_normalization_at_once():
    found = diagnosis(pooling="cls", normalized=False, shows=BARE)
    assert (found.cause, len(found.also)) == ("pooling", 1)
    assert "not normalized" in found.also[0]


def test_two_things_at_once():
    found = diagnosis(lowercase=False, pooling="cls")
    assert found.cause == "lower_case"
    assert len(found.also) == 1
    assert "text.pooling is cls pooling" in found.also[0]


def test_nothing_differs():
    report = compare(TextSide(WEIGHTS), TextSide(WEIGHTS), texts=TEXTS)
    assert (report.verdict, report.diagnosis) == ("agree", None)


def test_the_rows_looked_at_have_a_second_segment_and_padding():
    a = {"embeddings.sum": np.zeros((6, 3, 5))}
    b = {"embeddings.sum": np.arange(6)[::-1, None, None] * np.ones((6, 3, 5))}
    inputs = {"segment_ids": np.zeros((6, 3), int), "padding_mask": np.ones((6, 3), int)}
    assert _rows("embeddings.sum", a, b, inputs) == [0]
    inputs["segment_ids"][3, 1], inputs["padding_mask"][4, 2] = 1, 0
    assert _rows("embeddings.sum", a, b, inputs) == [0, 3, 4]
    inputs["segment_ids"][0, 1] = 1
    assert _rows("embeddings.sum", a, b, inputs) == [0, 4]


def test_the_rows_looked_at_differ_where_tokens_are_kept():
    """What differs most is the padding of row 0; the last stage says nothing of its first token."""
    mask = np.array([[0, 1, 1], [1, 1, 1], [1, 1, 0]])
    inputs = {"segment_ids": np.zeros((3, 3), int), "padding_mask": mask}
    a = {"layer.0.output": np.zeros((3, 3, 5)), "pooled_output": np.zeros((3, 5))}
    b = {
        name: array + np.arange(3, 0, -1).reshape(-1, *[1] * (array.ndim - 1))
        for name, array in a.items()
    }
    b["layer.0.output"][0, 1:] = 0
    assert _rows("pooled_output", a, b, inputs) == [1, 0]
    assert _rows("layer.0.output", a, b, inputs) == [1, 0]
