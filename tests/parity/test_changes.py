"""Each way of running a source again, with sources that mind it."""

from __future__ import annotations

import dataclasses

import goldens
import numpy as np
import pytest
from parity.sides import Side, golden

from npbert.parity.changes import Tried

CASE = "deep"
LENGTHS = (5, 2, 6, 3)
MASK = np.int32(np.arange(6) < np.array(LENGTHS)[:, None])
INPUTS = {"token_ids": 3 * MASK, "segment_ids": 0 * MASK, "padding_mask": MASK}
EPSILON = np.float32(2**-10)


class Minds(Side):
    """The last stage says what the batch was: plus a bit for what is minded."""

    minds = ""

    def run(self, inputs):
        mask = np.asarray(inputs["padding_mask"])
        B, T = mask.shape
        self.runs = getattr(self, "runs", 0) + 1
        plus = {
            "batch size": B,
            "order": np.arange(B)[:, None, None],
            "padding": T,
            "repeated runs": self.runs,
            "": 0,
        }[self.minds]
        x = np.ones((B, T, 3), np.float32) + np.float32(inputs["token_ids"])[..., None]
        x = np.where(mask[..., None] != 0, x + EPSILON * np.float32(plus), np.float32(B * T))
        return {"embeddings.sum": np.zeros((B, T, 3)), "sequence_output": x}


def changes(minds, inputs=INPUTS, texts=()):
    config = dataclasses.replace(goldens.config(CASE), max_sequence_length=20)
    side = Minds("side", config=config)
    side.minds = minds
    tried = Tried(side, inputs, texts)
    return [tried.repeated(), tried.alone(), tried.reversed(), *tried.padding()]


def test_nothing_is_minded():
    """What a source gives at padded positions is its own affair."""
    assert all(change.bit_equal and change.stages == 2 for change in changes(""))


@pytest.mark.parametrize(
    ("minds", "expected"),
    [
        ("repeated runs", {"repeated runs", "batch size", "order", "padding"}),
        ("batch size", {"batch size", "padding"}),
        ("order", {"batch size", "order", "padding"}),
        ("padding", {"padding"}),
    ],
)
def test_what_is_minded_is_found(minds, expected):
    found = {change.what: change for change in changes(minds) if not change.bit_equal}
    assert set(found) == expected
    change = found[minds]
    assert change.first == change.stage == "sequence_output"
    assert change.max_abs >= EPSILON
    assert change.ulp_max >= 1


def test_of_a_row_without_any_token_padding_is_not_asked():
    inputs = {name: array.copy() for name, array in INPUTS.items()}
    inputs["padding_mask"][1] = 0
    wider, cut = changes("", inputs)[3:]
    assert wider.bit_equal
    assert cut.bit_equal


def test_no_room_for_padding():
    config = goldens.config(CASE)
    T = config.max_sequence_length
    full = {name: np.ones((2, T), np.int32) for name in INPUTS}
    tried = Tried(golden(CASE), full, ())
    assert [change.how for change in tried.padding()] == ["each row by itself, without any"]
    assert tried.notes == [f"{T} tokens are the most that the model takes: no room for padding"]


def test_other_shapes_and_dtypes_are_no_bits_of_ours():
    class Grows(Side):
        def encode(self, texts):
            return {"text.vector": np.ones((len(texts), 2 + len(texts)), np.float32)}

    alone = Tried(Grows(), None, ["a", "b"]).alone()
    assert (alone.bit_equal, alone.max_abs, alone.ulp_max) == (False, np.inf, np.inf)


def test_vectors_of_texts():
    class Minds(Side):
        def encode(self, texts):
            place = np.float32(range(len(texts)))
            return {"text.vector": np.stack([place * 0 + len(texts[0]), place], axis=1)}

    tried = Tried(Minds(), None, ["abc", "d"])
    assert tried.repeated().bit_equal
    assert tried.reversed().max_abs == 2
    assert tried.alone().max_abs == 2
    assert list(tried.padding()) == []
    assert tried.notes == ["no ids to pad: the source takes texts alone"]


def test_threads_that_cannot_be_set():
    tried = Tried(golden(CASE), INPUTS, ())
    assert list(tried.threads()) == []
    assert tried.notes == ["the threads of a source of kind 'test' cannot be set"]
