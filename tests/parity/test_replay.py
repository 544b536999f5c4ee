"""Teacher forcing: an op alone, on what its own side recorded."""

from __future__ import annotations

import goldens
import ml_dtypes
import numpy as np
import pytest

from npbert import reference
from npbert.ops.types import Array
from npbert.parity.graph import Step, graph
from npbert.parity.replay import Replay, local_error, replay

CASE = "deep"
CONFIG, INPUTS = goldens.config(CASE), goldens.inputs(CASE)
WEIGHTS = goldens.weights(CASE)


def recorded(dtype=np.float64, weights=WEIGHTS) -> dict[str, Array]:
    seen: dict[str, Array] = {}
    tensors = {name: tensor.astype(dtype) for name, tensor in weights.items()}
    reference.forward(CONFIG, tensors, **INPUTS, seen=seen.__setitem__)
    return seen


STAGES = recorded()


def only(*names: str) -> dict[str, Array]:
    return {name: STAGES[name] for name in names}


@pytest.mark.parametrize("stage", STAGES)
def test_a_right_op_has_no_error_of_its_own(stage):
    assert local_error(stage, CONFIG, WEIGHTS, INPUTS, STAGES) < 1e-12


def test_an_error_stays_in_the_op_that_made_it():
    name = "transformer_layer_1/feedforward_output_dense/kernel"
    wrong = recorded(weights={**WEIGHTS, name: WEIGHTS[name] * 2})
    errors = {s: local_error(s, CONFIG, WEIGHTS, INPUTS, wrong) for s in wrong}
    assert [stage for stage, error in errors.items() if error > 1e-9] == ["layer.1.output"]
    assert np.abs(wrong["sequence_output"] - STAGES["sequence_output"]).max() > 0.1


@pytest.mark.parametrize(
    ("known", "needed"),
    [
        (("layer.0.output_layer_norm",), 14),  # a whole layer
        (("layer.1.query", "layer.1.key", "layer.1.value", "layer.0.output_layer_norm"), 11),
        ((), 5 + 2 * 14),  # the model, from its ids
    ],
)
def test_what_is_not_recorded_is_computed_from_what_is(known, needed):
    stages = only(*known)
    made = replay("layer.1.output_layer_norm", CONFIG, WEIGHTS, INPUTS, stages)
    np.testing.assert_allclose(made, STAGES["layer.1.output_layer_norm"], rtol=0, atol=1e-12)
    computed = Replay(graph(CONFIG), WEIGHTS, INPUTS, stages).needed("layer.1.output_layer_norm")
    assert len(computed) == needed


def test_what_was_recorded_of_the_stage_itself_is_not_looked_at():
    stages = {**STAGES, "layer.0.query": STAGES["layer.0.query"] + 1}
    made = replay("layer.0.query", CONFIG, WEIGHTS, INPUTS, stages)
    np.testing.assert_allclose(made, STAGES["layer.0.query"], rtol=0, atol=1e-12)
    assert local_error("layer.0.query", CONFIG, WEIGHTS, INPUTS, stages) == pytest.approx(1)


def test_a_variant_is_followed_to_the_stage():
    step = graph(CONFIG)["layer.0.activation"]
    variant = {"layer.0.activation": Step(lambda x: 0 * x, step.inputs)}
    made = replay("layer.0.output", CONFIG, WEIGHTS, INPUTS, only("layer.0.intermediate"), variant)
    bias = WEIGHTS["transformer_layer_0/feedforward_output_dense/bias"]
    np.testing.assert_allclose(made, np.broadcast_to(bias, made.shape))
    one = Replay(graph(CONFIG), WEIGHTS, INPUTS, only("layer.0.intermediate"))
    before = one.compute("layer.0.output")
    one.follow(variant)
    np.testing.assert_array_equal(one.compute("layer.0.output"), made)
    assert not np.array_equal(before, made)


@pytest.mark.parametrize(
    ("stage", "weights", "inputs", "stages"),
    [
        ("layer.9.query", WEIGHTS, INPUTS, STAGES),
        ("pooled_output", {"a": np.zeros(3)}, INPUTS, STAGES),
        ("embeddings.token", WEIGHTS, {}, STAGES),
        ("layer.1.scores", WEIGHTS, INPUTS, {**STAGES, "layer.1.query": np.zeros((1, 6, 3, 5))}),
    ],
)
def test_what_cannot_be_replayed(stage, weights, inputs, stages):
    assert replay(stage, CONFIG, weights, inputs, stages) is None


def test_no_error_of_what_was_not_recorded_or_has_another_shape():
    assert local_error("layer.0.query", CONFIG, WEIGHTS, INPUTS, {}) is None
    stages = {**STAGES, "layer.0.query": np.zeros((1, 2))}
    assert local_error("layer.0.query", CONFIG, WEIGHTS, INPUTS, stages) is None


def test_padding_does_not_count_but_probabilities_of_masked_keys_do():
    mask = INPUTS["padding_mask"]
    b = int(np.flatnonzero((mask == 0).any(1) & mask.any(1))[0])
    padded, kept = int(np.flatnonzero(mask[b] == 0)[0]), int(np.flatnonzero(mask[b])[0])
    query = STAGES["layer.0.query"].copy()
    query[b, padded] = np.nan
    assert local_error("layer.0.query", CONFIG, WEIGHTS, INPUTS, {"layer.0.query": query}) < 1e-12
    probs = STAGES["layer.0.probs"].copy()
    probs[b, 0, kept, padded] = 0.5
    stages = {**STAGES, "layer.0.probs": probs}
    assert local_error("layer.0.probs", CONFIG, WEIGHTS, INPUTS, stages) == pytest.approx(0.5)


def test_nan_where_it_is_expected_is_no_error():
    stages = {**STAGES, "layer.0.value": STAGES["layer.0.value"] * np.nan}
    stages["layer.0.context"] = replay("layer.0.context", CONFIG, WEIGHTS, INPUTS, stages)
    assert np.isnan(stages["layer.0.context"]).any()
    assert local_error("layer.0.context", CONFIG, WEIGHTS, INPUTS, stages) == 0
    assert local_error("layer.0.value", CONFIG, WEIGHTS, INPUTS, stages) == np.inf


def test_noise_is_what_rounding_does_in_the_dtype_of_the_record():
    single = recorded(np.float32)
    one = Replay(graph(CONFIG), WEIGHTS, INPUTS, single)
    for stage in single:
        assert one.error(stage) <= 4 * one.noise(stage), stage
        assert one.noise(stage) < 1e-5
    short = {stage: array.astype(ml_dtypes.bfloat16) for stage, array in single.items()}
    coarse = Replay(graph(CONFIG), WEIGHTS, INPUTS, short)
    assert coarse.noise("layer.0.query") > 2**15 * one.noise("layer.0.query")
    fine = Replay(graph(CONFIG), WEIGHTS, INPUTS, STAGES)
    assert fine.noise("layer.0.query") < 1e-14
