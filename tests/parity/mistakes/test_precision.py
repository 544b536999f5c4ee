"""Fewer bits."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from parity.mistakes.forms import CONFIG, MODEL, STEPS, check

from npbert.parity.mistakes.cause import Where
from npbert.parity.mistakes.precision import CAUSES, int8, rounded

BY_KEY = {cause.key: cause for cause in CAUSES}
VALUES = np.random.default_rng(2).normal(size=10_000).astype(np.float32)


def test_every_form_is_another_op():
    check(tuple(cause for cause in CAUSES if not cause.key.startswith("computed")))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_rounding_is_that_of_the_dtype(dtype):
    name, expected = np.dtype(dtype).name, VALUES.astype(dtype).astype(np.float32)
    np.testing.assert_array_equal(rounded(VALUES, name), expected)
    wide = rounded(VALUES.astype(np.float64), name)
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(wide, expected)


def test_tf32_keeps_ten_bits_of_the_fraction():
    x = np.array([1 + 2**-10, 1 + 2**-11, 1 + 3 * 2**-11, 3e38], np.float32)
    np.testing.assert_allclose(rounded(x, "tf32"), [1 + 2**-10, 1, 1 + 2**-9, 3e38], rtol=2**-11)
    normal = VALUES[np.abs(VALUES) > 1e-4]
    np.testing.assert_array_equal(rounded(normal, "tf32"), rounded(normal, "float16"))


def test_int8():
    kernel = np.array([[127.0, 0.5], [-3.2, 1.0]])
    np.testing.assert_allclose(int8(kernel, columns=True), [[127, 64 / 127], [-3, 1]])
    np.testing.assert_allclose(int8(kernel, columns=False), [[127, 0], [-3, 1]])  # 0.5 to even
    assert not int8(np.zeros((2, 2)), columns=True).any()


def test_numbers_that_are_short_by_chance_are_not_taken_for_short():
    stage = "layer.1.activation"
    right = MODEL.compute(stage)
    for seen, expected in ((rounded(right, "bfloat16"), 1), (right, 0)):
        where = Where(STEPS, stage, CONFIG, seen)
        offers = list(BY_KEY["computed_bfloat16"].at(where))
        assert len(offers) == expected
    where = Where(STEPS, stage, CONFIG, rounded(right, "bfloat16"))
    [offer] = BY_KEY["computed_bfloat16"].at(where)
    np.testing.assert_array_equal(MODEL.compute(stage, offer.variant), where.seen)
    far = Where(STEPS, stage, CONFIG, rounded(right + 3, "bfloat16"))  # short, but of another op
    [offer] = BY_KEY["computed_bfloat16"].at(far)
    assert not np.allclose(MODEL.compute(stage, offer.variant), far.seen)
