"""Heads against those of Keras Hub and transformers, as committed."""

from __future__ import annotations

import goldens
import numpy as np
import pytest
import tolerances

from npbert import reference
from npbert.ops.heads import classifier_head, masked_lm_head

CASES = [
    (case, "softmax" if output == "softmax" else None, output)
    for case in goldens.HEAD_CASES
    for output in ("logits", "softmax")
    if output == "logits" or case == "heads/classifier"
]


def in_float64(case, activation):
    """The definitions, over the reference's forward pass."""
    weights, inputs = goldens.weights(case, np.float64), goldens.inputs(case)
    places = inputs.pop("mask_positions", None)
    outputs = reference.forward(goldens.config(case), weights, **inputs)
    if places is None:
        arguments = outputs["pooled_output"], weights["logits/kernel"], weights["logits/bias"]
        return classifier_head(*arguments, activation=activation or "linear")
    task = goldens.task(case)
    hidden = np.take_along_axis(outputs["sequence_output"], places[:, :, None], axis=1)
    return masked_lm_head(
        hidden,
        weights["mlm_head/intermediate_dense/kernel"],
        weights["mlm_head/intermediate_dense/bias"],
        weights["mlm_head/intermediate_layer_norm/gamma"],
        weights["mlm_head/intermediate_layer_norm/beta"],
        weights["token_embedding/embeddings"],
        weights["mlm_head/output_bias"],
        activation=task.intermediate_activation,
        epsilon=task.layer_norm_epsilon,
    )


@pytest.mark.parametrize(("case", "activation", "output"), CASES)
def test_the_definition(case, activation, output):
    theirs = goldens.bundle(case).arrays[f"{goldens.exact_source(case)}.{output}"]
    ours = in_float64(case, activation)
    assert np.abs(ours - theirs).max() <= tolerances.REFERENCE_CONSTANTS * np.abs(theirs).max()


@pytest.mark.kernel
@pytest.mark.parametrize(("case", "activation", "output"), CASES)
def test_the_kernels(case, activation, output):
    arrays = goldens.bundle(case).arrays
    ours = goldens.task(case, activation)(goldens.inputs(case)).astype(np.float64)
    exact = arrays[f"{goldens.exact_source(case)}.{output}"]
    largest = np.abs(exact).max()
    assert np.abs(ours - exact).max() <= tolerances.STAGES_FLOAT64 * largest
    for source in goldens.float32_sources(case):
        theirs = arrays[f"{source}.{output}"]
        assert np.abs(ours - theirs).max() <= tolerances.STAGES_FLOAT32 * largest


def test_another_head_is_out_of_tolerance():
    """The tolerances tell erf from tanh, and 1e-5 from 1e-12."""
    case = "heads/masked_lm"
    theirs = goldens.bundle(case).arrays["tf64.logits"]
    weights, inputs = goldens.weights(case, np.float64), goldens.inputs(case)
    places = inputs.pop("mask_positions")[:, :, None]
    sequence = reference.forward(goldens.config(case), weights, **inputs)["sequence_output"]
    hidden = np.take_along_axis(sequence, places, axis=1)
    head = [
        weights[f"mlm_head/intermediate_{name}"]
        for name in ("dense/kernel", "dense/bias", "layer_norm/gamma", "layer_norm/beta")
    ]
    table = weights["token_embedding/embeddings"], weights["mlm_head/output_bias"]
    for settings in (
        {"activation": "gelu_approximate", "epsilon": 1e-5},
        {"activation": "gelu", "epsilon": 1e-12},
    ):
        other = masked_lm_head(hidden, *head, *table, **settings)
        allowed = tolerances.STAGES_FLOAT32 * np.abs(theirs).max()
        assert np.abs(other - theirs).max() > 3 * allowed, settings
