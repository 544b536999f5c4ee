"""Layers in another order."""

from __future__ import annotations

from parity.mistakes.forms import CONFIG, STEPS, check

from npbert.parity.mistakes.layers import CAUSES, with_layers


def test_every_form_is_another_op():
    check(CAUSES)


def test_a_layer_with_the_weights_of_another():
    variant = with_layers(STEPS, {0: 2})
    assert CONFIG.num_layers == 3
    assert {stage.split(".")[1] for stage in variant} == {"0"}
    assert len(variant) == 8  # six dense layers and two norms
    for stage, step in variant.items():
        assert step.inputs == STEPS[stage].inputs
        assert all(name.startswith("transformer_layer_2/") for name in step.weights)
