"""Attention done otherwise."""

from __future__ import annotations

import numpy as np
from parity.mistakes.forms import CONFIG, INPUTS, MODEL, check, forms

from npbert.parity.mistakes.attention import CAUSES

BY_KEY = {cause.key: cause for cause in CAUSES}


def test_every_form_is_another_op():
    # A masked score that is added to a huge value is as good as dropped, where a key is kept.
    # Another number of heads has other shapes: parity/test_compare.py.
    check([cause for cause in CAUSES if cause.key != "num_heads"], same=("mask_value",))


def probs(key: str) -> np.ndarray:
    offer = next(forms(BY_KEY[key]))
    return MODEL.compute("layer.1.probs", offer.variant)


def test_masks():
    kept = INPUTS["padding_mask"] != 0
    some = kept.any(axis=1)
    keys = np.broadcast_to(kept[some][:, None, None, :], probs("mask_missing")[some].shape)
    assert (probs("mask_missing")[some][~keys] > 0).all()
    np.testing.assert_allclose(probs("mask_missing").sum(axis=-1), 1)
    assert (probs("mask_after_softmax")[some][~keys] == 0).all()
    assert (probs("mask_after_softmax").sum(axis=-1) < 1 + 1e-12).all()
    assert (np.triu(probs("causal_mask"), 1) == 0).all()
    np.testing.assert_allclose(probs("softmax_axis").sum(axis=-2), 1)
    assert np.isnan(probs("mask_infinite")[~some]).all()
    assert np.isfinite(probs("mask_infinite")[some]).all()
    full = kept.all(axis=1)
    np.testing.assert_allclose(probs("mask_inverted")[full], 1 / kept.shape[1])


def test_a_value_of_a_few_leaks_and_a_huge_one_does_not():
    right = MODEL.compute("layer.1.probs")
    some = (INPUTS["padding_mask"] != 0).any(axis=1)
    apart = {}
    for offer in forms(BY_KEY["mask_value"]):
        value = float(offer.says.split()[1])
        made = MODEL.compute("layer.1.probs", offer.variant)
        apart[value] = np.abs(made - right)[some].max()
    assert apart[-10.0] > 1e-6 > apart[-100.0]
    assert apart[-1e9] < 1e-12


def test_heads():
    H, N = CONFIG.head_dim, CONFIG.num_heads
    query = MODEL.compute("layer.1.query")
    offers = {offer.says: offer for offer in forms(BY_KEY["head_split"])}
    says = "takes its features as (H, N), where (N, H) is expected"
    made = MODEL.compute("layer.1.query", next(forms(BY_KEY["head_split"])).variant)
    assert says in offers
    B, T = query.shape[:2]
    np.testing.assert_array_equal(made, query.reshape(B, T, H, N).swapaxes(2, 3))
    joined = [MODEL.compute("layer.1.context", o.variant) for o in forms(BY_KEY["head_join"])]
    context = MODEL.compute("layer.1.context")
    np.testing.assert_array_equal(joined[0], context.swapaxes(2, 3).reshape(context.shape))
    np.testing.assert_array_equal(joined[1], context.swapaxes(1, 2).reshape(context.shape))
