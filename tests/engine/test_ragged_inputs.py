"""Sequences that were never padded, and what comes beside them."""

from __future__ import annotations

import numpy as np
import pytest
from engine.test_inputs import CONFIG, batch

from npbert.engine.inputs import (
    check_inputs,
    check_kept,
    check_positions,
    check_segments,
    check_sequences,
)
from npbert.errors import InputError, InputTypeError

SEQUENCES = check_sequences([[1, 2, 3], [4]], CONFIG)


def test_segments():
    checked = check_segments([[0, 1, 2], [2]], SEQUENCES, CONFIG)
    assert [each.tolist() for each in checked] == [[0, 1, 2], [2]]
    assert all(each.dtype == np.int32 for each in checked)


@pytest.mark.parametrize(
    ("segments", "error", "words"),
    [
        ([[0, 1, 3], [0]], InputError, r"segment_ids\[0\] has an id out of range"),
        ([[0, 1, -1], [0]], InputError, r"segment_ids\[0\] has an id out of range"),
        ([[0, 1, 1], [0.5]], InputTypeError, r"segment_ids\[1\] must hold integers"),
        ([[0, 1], [0]], InputError, r"different lengths(.|\n)*\[2, 1\](.|\n)*\[3, 1\]"),
        ([[0, 1, 1]], InputError, "different lengths"),
        ([[0, 1, 1], [[0]]], InputError, r"segment_ids\[1\] must have one axis"),
        (5, InputTypeError, r"the sequences must be a list(.|\n)*segment_ids"),
    ],
)
def test_segments_that_do_not_belong(segments, error, words):
    with pytest.raises(error, match=words):
        check_segments(segments, SEQUENCES, CONFIG)


def test_masks():
    checked = check_kept([[1, 0, 2], [True]], SEQUENCES)
    assert [each.tolist() for each in checked] == [[True, False, True], [True]]


def test_masks_that_do_not_belong():
    """A mask that is too long would make a kernel read rows that are not there."""
    with pytest.raises(InputError, match="padding_mask and token_ids have different lengths"):
        check_kept([[1, 1, 1, 1], [1]], SEQUENCES)
    with pytest.raises(InputTypeError, match="padding_mask must hold booleans"):
        check_kept([["a", "b", "c"], [1]], SEQUENCES)


def test_positions():
    inputs = check_inputs(batch(), CONFIG)  # (B, T) = (2, 4)
    positions = check_positions([[0, 3, 3], [1, 0, 2]], inputs)
    assert positions.tolist() == [[0, 3, 3], [1, 0, 2]]
    assert check_positions(np.zeros((2, 0), int), inputs).shape == (2, 0)
    with pytest.raises(InputError, match=r"mask_positions\[1, 0\](.|\n)*the length of token_ids"):
        check_positions([[0], [4]], inputs)
    with pytest.raises(InputError, match="one row for each sequence"):
        check_positions([[0]], inputs)
