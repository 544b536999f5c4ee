"""Attention done otherwise."""

from __future__ import annotations

import numpy as np
from parity.mistakes.forms import CONFIG, MODEL, check, forms

from npbert.parity.mistakes.attention import CAUSES

BY_KEY = {cause.key: cause for cause in CAUSES}


def test_every_form_is_another_op():
    # Another number of heads has other shapes: parity/test_compare.py.
    check([cause for cause in CAUSES if cause.key != "num_heads"])


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
