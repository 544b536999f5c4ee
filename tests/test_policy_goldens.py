"""What the goldens of the 16-bit policies hold, and what they show of Keras's arithmetic."""

from __future__ import annotations

import math

import accuracy
import goldens
import numpy as np
import policy_accuracy
import pytest
import tolerances
from goldens import KERAS_CASES, OUTPUTS
from policy_accuracy import BACKENDS

from npbert.dtype_policy import KERAS, DTypePolicy, numpy_dtype
from npbert.ops.softmax import softmax

POLICIES = [policy for policy in KERAS if "16" in policy]
STAGED = ("odd_width", "dropout_zero", "one_token", "no_layers")


def compute_dtype(policy):
    return numpy_dtype(DTypePolicy(policy).compute_dtype)


def recorded(case, backend, policy):
    return goldens.bundle(f"policies/{case}").group(f"{backend}_{policy}")


def rounded(x, dtype):
    """Once from float32, as what a backend computes in float32 and returns in 16 bits."""
    return np.float32(x).astype(dtype)


def ulps_apart(a, b):
    """Of positive numbers of 16 bits."""
    return np.abs(a.view(np.int16).astype(int) - b.view(np.int16))


@pytest.mark.parametrize("case", KERAS_CASES)
def test_every_case_has_every_policy(case):
    bundle = goldens.bundle(f"policies/{case}")
    for prefix in ("inputs", "accuracy.inputs"):
        for name, array in goldens.inputs(case, prefix).items():
            np.testing.assert_array_equal(bundle.group(prefix)[name], array)
    A = len(bundle.arrays["accuracy.inputs.token_ids"])
    names = bundle.meta["stages"]
    for policy in POLICIES:
        for backend in BACKENDS:
            outputs = bundle.group(f"accuracy.{backend}_{policy}")
            assert {name: a.dtype for name, a in outputs.items()} == dict.fromkeys(
                OUTPUTS, compute_dtype(policy)
            )
            assert bundle.arrays[f"rms_error.{backend}_{policy}"].shape == (len(names), A)
            assert bundle.arrays[f"largest_error.{backend}_{policy}"].shape == (len(names),)


@pytest.mark.parametrize("case", KERAS_CASES)
def test_only_what_the_fused_attention_computes_inside_is_missing(case):
    config = goldens.config(case)
    inside = {"scores", "probs"} if config.dropout == 0 else set()
    expected = [n for n in goldens.stages(config) if n.rpartition(".")[2] not in inside]
    assert goldens.bundle(f"policies/{case}").meta["stages"] == sorted(expected)


@pytest.mark.parametrize("case", STAGED)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_stage_is_in_the_compute_dtype(case, policy, backend):
    stages = recorded(case, backend, policy)
    assert sorted(stages) == goldens.bundle(f"policies/{case}").meta["stages"]
    assert {array.dtype for array in stages.values()} == {compute_dtype(policy)}


@pytest.mark.parametrize("case", STAGED)
@pytest.mark.parametrize("variables", ["float32", "float16", "bfloat16"])
def test_the_reference_on_rounded_weights_is_tensorflow_on_rounded_variables(case, variables):
    theirs = goldens.bundle(f"policies/{case}").group(f"tf64_{variables}")
    ours = policy_accuracy.truth(case, variables, "inputs")
    atol = tolerances.REFERENCE_CONSTANTS
    assert set(theirs) == set(OUTPUTS)
    assert goldens.first_divergence(OUTPUTS, ours, theirs, atol=atol) is None


@pytest.mark.parametrize("case", KERAS_CASES)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_recorded_errors_are_those_of_the_recorded_outputs(case, policy, backend):
    outputs = goldens.bundle(f"policies/{case}").group(f"accuracy.{backend}_{policy}")
    errors = policy_accuracy.recorded(case, f"{backend}_{policy}")
    exact = policy_accuracy.truth(case, DTypePolicy(policy).variable_dtype)
    for name in OUTPUTS:
        error = np.abs(np.float64(outputs[name]) - exact[name])
        np.testing.assert_allclose(errors[name].rms, accuracy.rms(error), rtol=1e-3)
        np.testing.assert_allclose(errors[name].largest, error.max(), rtol=1e-3)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_softmax_is_given_16_bits_and_returns_them_where_dropout_is_not_0(backend, policy):
    """TensorFlow rounds its result alone, JAX inside too."""
    stages, dtype = recorded("odd_width", backend, policy), compute_dtype(policy)
    scores, probs = stages["layer.0.scores"], stages["layer.0.probs"]
    assert scores.dtype == probs.dtype == dtype
    kept = goldens.inputs("odd_width")["padding_mask"] != 0
    kept = np.broadcast_to(kept[:, None, None, :], scores.shape)
    once = rounded(softmax(np.float64(scores), kept), dtype)
    apart = ulps_apart(probs, once)
    assert apart.max() == {"tf": 0, "jax": 2}[backend]
    assert ((apart > 0).mean() > 0.1) == (backend == "jax")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_softmax_is_given_float32_where_dropout_is_0(backend, policy):
    """No layer shows it: the recorded context is that of scores which are not rounded, bit for bit.

    TensorFlow does round the product of query and key, before it is scaled.
    """
    stages, dtype = recorded("dropout_zero", backend, policy), compute_dtype(policy)
    query, key, value = (
        np.float64(stages[f"layer.0.{name}"]).swapaxes(1, 2) for name in ("query", "key", "value")
    )
    products = query @ key.swapaxes(2, 3)
    if backend == "tf":
        products = np.float64(rounded(products, dtype))
    scores = products / math.sqrt(query.shape[-1])

    def context(scores):
        mask = goldens.inputs("dropout_zero")["padding_mask"][:, None, None, :]
        everything = np.ones(scores.shape, bool)
        probs = rounded(softmax(np.where(mask != 0, scores, -1e30), everything), dtype)
        return rounded((np.float64(probs) @ value).swapaxes(1, 2), dtype)

    assert (context(scores) == stages["layer.0.context"]).all()
    in_16_bits = np.float64(rounded(scores, dtype))
    assert (context(in_16_bits) != stages["layer.0.context"]).mean() > 0.02
