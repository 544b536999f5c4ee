"""A source against itself, run in other ways."""

from __future__ import annotations

import json

import goldens
import numpy as np
import pytest
from parity.sides import Side, golden, recorded

from npbert.errors import InputError
from npbert.parity.changes import Change
from npbert.parity.invariance import Invariance, invariance
from npbert.parity.sources.of_npbert import NpbertSource

WAYS = ["repeated runs", "batch size", "order", "padding", "padding"]


@pytest.mark.kernel
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_npbert_gives_the_same_bits_in_every_way(dtype):
    source = NpbertSource(goldens.backbone("odd_width", dtype=dtype))
    inputs = goldens.inputs("odd_width")
    found = invariance(source, inputs=inputs)
    assert [change.what for change in found.changes] == [*WAYS, "threads"]
    assert found.bit_equal
    assert found.environment["dtype"] == dtype
    every = len(goldens.stages(goldens.config("odd_width")))
    assert {change.stages for change in found.changes} == {every}


def test_numpy_does_not():
    """Its matrix products add up in an order that depends on their shape."""
    found = invariance(golden("wide_dropout_zero", name="numpy"))
    assert [change.what for change in found.changes] == WAYS
    assert found.changes[0].bit_equal
    assert all(change.max_abs < 1e-3 for change in found.changes)
    assert found.notes == ["the threads of a source of kind 'test' cannot be set"]


def test_in_words_and_as_data():
    changes = [
        Change("repeated runs", "the same batch three times", 5, True),
        Change("order", "the rows in reverse", 5, False, "layer.0.query", "x", 1.5e-7, 2.0),
    ]
    found = Invariance("model", "npbert", changes, notes=["a note"])
    assert str(found) == (
        "model (npbert)\n"
        "repeated runs: the same batch three times: bit-equal at 5 stages\n"
        "order:         the rows in reverse: differs from layer.0.query on, by 1.50e-07 at most"
        " (x), 2 ULP\n"
        "note: a note"
    )
    assert not found.bit_equal
    data = json.loads(json.dumps(found.to_dict()))
    assert data["bit_equal"] is False
    assert data["changes"][1]["ulp_max"] == 2


def test_a_record_cannot_be_run_again():
    with pytest.raises(InputError, match="a record cannot be run again"):
        invariance(recorded("deep", "tf32"))


def test_nothing_to_compare():
    with pytest.raises(InputError, match="shows nothing that could be compared"):
        invariance(Side())


def test_texts():
    class Texts(Side):
        def encode(self, texts):
            return {"text.vector": np.float32([[len(text)] for text in texts])}

    found = invariance(Texts(), ["a", "bcd"])
    assert found.bit_equal
    assert [change.what for change in found.changes] == ["repeated runs", "batch size", "order"]
