"""Dense layers with other weights."""

from __future__ import annotations

import numpy as np
import pytest
from parity.mistakes.forms import MODEL, STEPS, WEIGHTS, check

from npbert.parity.mistakes.dense import CAUSES, edited, flat


def test_every_form_is_another_op():
    check(CAUSES)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((22, 33), (22, 33)), ((22, 2, 11), (22, 22)), ((2, 11, 22), (22, 22)), ((5, 1, 5), (5, 5))],
)
def test_the_two_sides_of_a_kernel(shape, expected):
    assert flat(np.zeros(shape)) == expected


def test_an_edit_reaches_both_tensors():
    stage, layer = "layer.0.output", "transformer_layer_0/feedforward_output_dense"
    step = edited(STEPS[stage], lambda kernel: 0 * kernel, lambda bias: 3 * bias)
    made = MODEL.compute(stage, {stage: step})
    np.testing.assert_array_equal(made[0, 0], 3 * WEIGHTS[f"{layer}/bias"])
