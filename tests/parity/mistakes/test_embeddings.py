"""Other rows of the tables."""

from __future__ import annotations

import numpy as np
from parity.mistakes.forms import CONFIG, INPUTS, STEPS, WEIGHTS, check

from npbert.parity.mistakes.cause import Where
from npbert.parity.mistakes.embeddings import CAUSES
from npbert.parity.replay import Replay

BY_KEY = {cause.key: cause for cause in CAUSES}
MASK = np.array([[0, 0, 1, 1, 1, 0]])
SEGMENTS = np.array([[0, 0, 0, 1, 1, 0]])


def test_every_form_is_another_op():
    check(CAUSES)


def places(key: str, form: int = 0) -> list[int]:
    """The rows of the position table that are taken."""
    inputs = {"token_ids": 0 * MASK, "segment_ids": SEGMENTS, "padding_mask": MASK}
    table = np.arange(6.0)[:, None] * np.ones(CONFIG.hidden_dim)
    weights = {**WEIGHTS, "position_embedding/embeddings": table}
    offer = list(BY_KEY[key].at(Where(STEPS, "embeddings.position", CONFIG, None)))[form]
    made = Replay(STEPS, weights, inputs, {}).compute("embeddings.position", offer.variant)
    return made[0, :, 0].astype(int).tolist()


def test_positions():
    assert places("position_offset") == [1, 2, 3, 4, 5, 5]
    assert places("position_ignored") == [0] * 6
    assert places("positions_restarted") == [0, 1, 2, 0, 1, 0]
    assert places("positions_from_mask", 0) == [0, 0, 0, 1, 2, 2]
    assert places("positions_from_mask", 3) == [1, 1, 2, 3, 4, 1]


def test_inputs_are_exchanged_everywhere():
    [first, _] = BY_KEY["inputs_exchanged"].at(Where(STEPS, "embeddings.segment", CONFIG, None))
    assert first.variant["embeddings.segment"].inputs == ("padding_mask",)
    assert sum(stage.endswith("probs") for stage in first.variant) == CONFIG.num_layers
    assert INPUTS["segment_ids"].shape == INPUTS["padding_mask"].shape
