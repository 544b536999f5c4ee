"""Residuals and dropout."""

from __future__ import annotations

import numpy as np
import pytest
from parity.mistakes.forms import CONFIG, MODEL, STEPS, check

from npbert.parity.mistakes.cause import Where
from npbert.parity.mistakes.residual import CAUSES

BY_KEY = {cause.key: cause for cause in CAUSES}


def test_every_form_is_another_op():
    check(tuple(cause for cause in CAUSES if cause.key != "dropout_active"))


def dropped(stage: str, seen: np.ndarray | None):
    return list(BY_KEY["dropout_active"].at(Where(STEPS, stage, CONFIG, seen)))


def test_dropout_is_seen_in_what_was_recorded():
    stage = "layer.1.attention_residual"
    block, x = (MODEL.compute(name) for name in STEPS[stage].inputs)
    kept = np.random.default_rng(4).random(block.shape) > 0.1
    seen = block * kept / 0.9 + x
    [offer] = dropped(stage, seen)
    np.testing.assert_allclose(MODEL.compute(stage, offer.variant), seen)


@pytest.mark.parametrize("seen", ["right", "another op's"])
def test_what_is_no_dropout_is_not_made_to_look_like_it(seen):
    stage = "layer.1.probs"
    right = MODEL.compute(stage)
    recorded = right if seen == "right" else np.square(right)
    [offer] = dropped(stage, recorded)
    np.testing.assert_allclose(MODEL.compute(stage, offer.variant), right)


def test_without_a_record_there_is_nothing_to_see():
    assert dropped("layer.1.probs", None) == []
