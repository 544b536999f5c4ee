"""Layer norms done otherwise."""

from __future__ import annotations

from functools import partial

import numpy as np
from parity.mistakes.forms import CONFIG, MODEL, STEPS, check, forms

from npbert.ops.layer_norm import layer_norm
from npbert.parity.mistakes.cause import Where
from npbert.parity.mistakes.norm import CAUSES, normalize

BY_KEY = {cause.key: cause for cause in CAUSES}


def test_every_form_is_another_op():
    # An epsilon of 1e-8 in place of 1e-12 is one, but not by much; outside the root 1e-12 is none.
    check(CAUSES, same=("layer_norm_epsilon", "layer_norm_epsilon_outside"))


def test_normalize():
    x = np.array([[1.0, 2, 6]])
    np.testing.assert_array_equal(normalize(x, lambda c: np.full((1, 1), 2.0)), [[-1, -0.5, 1.5]])


def test_any_epsilon_is_found_from_what_was_recorded():
    x = MODEL.compute("layer.1.attention_residual")
    stage = "layer.1.attention_layer_norm"
    right = STEPS[stage].op.keywords
    assert right == {"epsilon": CONFIG.layer_norm_epsilon}
    other = STEPS[stage]._replace(op=partial(layer_norm, epsilon=0.02))
    seen = MODEL.compute(stage, {stage: other})
    where = Where(STEPS, stage, CONFIG, seen)
    *_, fitted = BY_KEY["layer_norm_epsilon"].at(where)
    assert fitted.says.startswith("adds another epsilon")
    np.testing.assert_allclose(MODEL.compute(stage, fitted.variant), seen, atol=1e-9)
    assert np.abs(seen - MODEL.compute(stage)).max() > 1e-3
    assert x.shape == seen.shape


def test_without_a_record_there_is_nothing_to_fit():
    says = [offer.says for offer in forms(BY_KEY["layer_norm_epsilon"])]
    assert not any("another epsilon" in each for each in says)
    assert "adds 1e-05 to the variance, where 1e-12 is expected" in says


def test_the_residual_stream_is_never_normalised_with_pre_norm():
    [offer] = BY_KEY["pre_norm"].at(Where(STEPS, "layer.1.query", CONFIG, None))
    output = MODEL.compute("layer.1.output_layer_norm", offer.variant)
    block = MODEL.compute("layer.1.output", offer.variant)
    residual = MODEL.compute("layer.1.attention_residual", offer.variant)
    np.testing.assert_allclose(output, block + residual)
