"""The table of ops gives what the forward pass gives."""

from __future__ import annotations

import goldens
import numpy as np
import pytest
from goldens import CASES

from npbert import reference
from npbert.parity.graph import Step, graph


def compute(steps: dict[str, Step], weights, inputs):
    values = dict(inputs)
    for stage, step in steps.items():
        tensors = [weights[name] for name in step.weights]
        values[stage] = step.op(*(values[name] for name in step.inputs), *tensors)
    return values


@pytest.mark.parametrize("case", CASES)
def test_every_stage_of_the_forward_pass(case):
    config, weights, inputs = goldens.config(case), goldens.weights(case), goldens.inputs(case)
    weights = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    seen = {}
    reference.forward(config, weights, **inputs, seen=seen.__setitem__)
    steps = graph(config)
    values = compute(steps, weights, inputs)
    assert list(steps) == list(seen)
    for stage, array in seen.items():
        np.testing.assert_allclose(values[stage], array, rtol=0, atol=1e-12, err_msg=stage)


def test_a_step_names_what_it_is_given():
    steps = graph(goldens.config("deep"))
    assert steps["layer.1.query"].inputs == ("layer.0.output_layer_norm",)
    assert steps["layer.1.query"].weights == (
        "transformer_layer_1/self_attention_layer/query/kernel",
        "transformer_layer_1/self_attention_layer/query/bias",
    )
    assert steps["layer.2.probs"].inputs == ("layer.2.scores", "padding_mask")
    assert not steps["layer.2.probs"].weights
