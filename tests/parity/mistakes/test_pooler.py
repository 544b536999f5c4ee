"""Other poolers."""

from __future__ import annotations

import numpy as np
from parity.mistakes.forms import check

from npbert.parity.mistakes.pooler import CAUSES, last_kept, mean_kept

X = np.arange(2 * 3 * 2.0).reshape(2, 3, 2)
MASK = np.array([[1, 1, 0], [0, 0, 0]])


def test_every_form_is_another_op():
    check(CAUSES)


def test_kept_tokens():
    np.testing.assert_array_equal(last_kept(X, MASK), [X[0, 1], X[1, 0]])
    np.testing.assert_array_equal(mean_kept(X, MASK), [[1, 2], [0, 0]])
