"""The mask otherwise."""

from __future__ import annotations

import numpy as np
from parity.mistakes.forms import INPUTS, MODEL, check, forms

from npbert.parity.mistakes.mask import CAUSES

BY_KEY = {cause.key: cause for cause in CAUSES}


def test_every_form_is_another_op():
    # A masked score that is added to a huge value is as good as dropped, where a key is kept.
    check(CAUSES, same=("mask_value",))


def probs(key: str, form: int = 0) -> np.ndarray:
    offer = list(forms(BY_KEY[key]))[form]
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


def test_what_is_masked_again_after_the_softmax():
    kept = INPUTS["padding_mask"] != 0
    keys = np.broadcast_to(kept[:, None, None, :], probs("softmax_axis").shape)
    for key, stays in (("softmax_axis", keys), ("mask_inverted", ~keys)):
        once, twice = probs(key), probs(key, 1)
        assert (once[~stays] > 0).any()
        assert (twice[~stays] == 0).all()
        np.testing.assert_allclose(twice[stays], once[stays], atol=1e-15)


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
