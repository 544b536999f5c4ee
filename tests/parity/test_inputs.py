"""The batch that both sides are run on: from texts, from a record, or drawn."""

from __future__ import annotations

import numpy as np
import pytest
from parity.sides import Side, golden

from npbert.errors import InputError
from npbert.parity import inputs as batches
from npbert.parity.texts import TEXTS
from npbert.parity.types import Tokens

SHORT = Tokens([[1, 5, 2], [1, 6, 7, 2], [1, 8, 2], [1, 2]], [[]] * 4)


def made(tokens=SHORT, longest=None):
    return batches.from_tokens(tokens, "us", longest)


def test_texts_are_padded_and_pairs_have_a_second_segment():
    batch = made(Tokens([[1, 5, 2], [1, 6, 2], [1, 6, 7, 8, 9, 2], [1, 2]], [[]] * 4))
    assert batch.notes == ("the inputs are the texts as us tokenizes them",)
    assert batch.inputs["token_ids"].tolist() == [
        [1, 5, 2, 0, 0, 0],
        [1, 6, 2, 0, 0, 0],
        [1, 6, 7, 8, 9, 2],
        [1, 2, 0, 0, 0, 0],
        [1, 5, 2, 6, 2, 0],
    ]
    assert batch.inputs["segment_ids"].tolist() == [[0] * 6] * 4 + [[0, 0, 0, 1, 1, 0]]
    assert batch.inputs["padding_mask"].sum(axis=1).tolist() == [3, 3, 6, 2, 5]
    assert {array.dtype for array in batch.inputs.values()} == {np.dtype(np.int32)}


def test_segments_of_the_tokenizer_are_kept():
    batch = made(Tokens([[1, 5, 2, 6, 2]], [[]], segment_ids=[[0, 0, 0, 1, 1]]))
    assert batch.inputs["segment_ids"].tolist() == [[0, 0, 0, 1, 1]]


def test_what_is_too_long_is_left_out_and_said():
    longer = Tokens([*SHORT.ids, list(range(60))], [[]] * 5)
    for batch in (made(longer, 20), made(Tokens([*SHORT.ids, [3] * 3000], [[]] * 5))):
        assert batch.inputs["token_ids"].shape[1] == 4
        assert batch.notes[1] == "1 of 5 texts are too long to be run stage by stage"


def test_a_batch_is_as_large_as_it_may_be():
    batch = made(Tokens([[4] * n for n in (30, 90, 200, 500, 2000)], [[]] * 5))
    B, T = batch.inputs["token_ids"].shape
    assert (B, T) == (4, 200)  # of the pairs, that of 30 and 90 tokens
    assert B * T <= batches.MOST_POSITIONS


def test_one_text_runs_however_long_it_is():
    assert made(Tokens([[4] * 5000], [[]])).inputs["token_ids"].shape == (1, 5000)


def test_inputs_that_are_given():
    arrays = {"token_ids": [[1, 2]], "segment_ids": [[0, 0]], "padding_mask": [[1, 0]]}
    batch = batches.given(arrays)
    assert (batch.inputs["token_ids"].shape, batch.notes) == ((1, 2), ())
    for wrong in ({}, {**arrays, "segment_ids": [[0]]}, {name: [1] for name in arrays}):
        with pytest.raises(InputError, match="three arrays of one shape"):
            batches.given(wrong)


def test_inputs_that_were_recorded():
    arrays = {name: np.ones((2, 3), int) for name in ("token_ids", "segment_ids", "padding_mask")}
    record, live = Side("record", recorded=arrays), Side("live")
    assert batches.recorded(live, live) is None
    for sides in ((record, live), (live, record), (record, record)):
        batch = batches.recorded(*sides)
        assert np.array_equal(batch.inputs["token_ids"], arrays["token_ids"])
        assert batch.notes == ("the inputs are those that record was recorded with",)
    other = Side("other", recorded={**arrays, "padding_mask": np.zeros((2, 3), int)})
    with pytest.raises(InputError, match="recorded with different inputs") as caught:
        batches.recorded(record, other)
    assert caught.value.where == "padding_mask"


def test_drawn_ids_are_the_same_each_time():
    assert batches.drawn(31, 9, num_segments=2).inputs["segment_ids"].max() == 1
    one, two = batches.drawn(31, 9), batches.drawn(31, 9)
    for name, array in one.inputs.items():
        assert np.array_equal(array, two.inputs[name])
    assert one.inputs["token_ids"].shape[1] <= 9
    assert one.inputs["token_ids"].max() < 31
    assert one.inputs["padding_mask"].min() == 0
    assert "drawn at random" in one.notes[0]


def test_the_texts_are_what_they_are_said_to_be():
    assert len(TEXTS) == len(set(TEXTS)) == 24
    assert any(len(text.split()) > 512 for text in TEXTS)
    assert " " in TEXTS
    for script in ("CJK UNIFIED", "HANGUL", "CYRILLIC", "ARABIC", "DEVANAGARI", "COMBINING"):
        import unicodedata

        assert any(unicodedata.name(c, "").startswith(script) for text in TEXTS for c in text)


def test_of_one_side():
    """Its record; or its texts, the shortest first to fit; or ids at random; or nothing."""
    inputs = {name: np.ones((2, 3), int) for name in ("token_ids", "segment_ids", "padding_mask")}
    assert batches.of_one(Side(recorded=inputs), SHORT, 99).inputs.keys() == inputs.keys()
    assert batches.of_one(Side(), SHORT, 12).inputs["token_ids"].tolist() == [
        [1, 5, 2],
        [1, 8, 2],
        [1, 2, 0],
    ]
    assert batches.of_one(Side(), None, 99) is None
    drawn = batches.of_one(golden("deep"), None, 99)
    assert drawn.notes == ("no side has a tokenizer: the token ids are drawn at random",)


def test_texts_of_records():
    side = Side()
    assert batches.texts_of(side) is None
    side.texts = ["a"]
    assert batches.texts_of(Side(), side) == ["a"]
