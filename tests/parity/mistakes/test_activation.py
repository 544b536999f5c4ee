"""Other activations."""

from __future__ import annotations

import numpy as np
from parity.mistakes.forms import check
from scipy import special

from npbert.ops.gelu import gelu
from npbert.parity.mistakes.activation import CAUSES, quick_gelu, silu


def test_every_form_is_another_op():
    check(tuple(cause for cause in CAUSES if cause.key != "gelu_tanh"))  # what this model has


def test_formulas():
    x = np.linspace(-6, 6, 1201)
    np.testing.assert_allclose(silu(x), x * special.expit(x))
    assert 0.0202 < np.abs(quick_gelu(x) - gelu(x)).max() < 0.0204
