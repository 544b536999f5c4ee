"""The search for what explains an op's error: what is named, and what is not."""

from __future__ import annotations

import dataclasses

import goldens
import numpy as np
import pytest

from npbert import reference
from npbert.parity import search
from npbert.parity.graph import graph
from npbert.parity.replay import Replay
from npbert.parity.search import Suspect

CASE = "deep"
CONFIG, INPUTS = goldens.config(CASE), goldens.inputs(CASE)
WEIGHTS = goldens.weights(CASE)


def recorded(config=CONFIG, weights=WEIGHTS, **inputs):
    """Every stage in float32."""
    seen = {}
    tensors = {name: tensor.astype(np.float32) for name, tensor in weights.items()}
    reference.forward(config, tensors, **{**INPUTS, **inputs}, seen=seen.__setitem__)
    return seen


def suspect(stages, *, own=None, tolerances=None):
    replay = Replay(graph(CONFIG), WEIGHTS, INPUTS, stages)
    return Suspect(replay, CONFIG, tolerances or {}, own)


RIGHT = recorded()


def test_a_right_op_is_not_off():
    one = suspect(RIGHT)
    assert not any(one.off(stage) for stage in RIGHT)
    assert one.excess("layer.0.query") < search.EXPLAINED
    assert suspect({}).excess("layer.0.query") == 0


def test_a_tolerance_lets_an_error_pass():
    stages = {**RIGHT, "layer.0.query": RIGHT["layer.0.query"] + np.float32(1e-3)}
    assert suspect(stages).off("layer.0.query")
    assert not suspect(stages, tolerances={"layer.0.query": 2e-3}).off("layer.0.query")


def test_where_no_key_is_kept():
    empty = goldens.bundle(CASE).meta["masks"].index("empty")
    scores = RIGHT["layer.0.scores"]
    for row, cause in ((1 / scores.shape[-1], "fully_masked"), (np.nan, "mask_infinite")):
        probs = RIGHT["layer.0.probs"].copy()
        probs[empty] = row
        found = suspect({**RIGHT, "layer.0.probs": probs}).explain("layer.0.probs")
        assert found.cause == cause


def test_the_activation_of_keras():
    """The others are planted under the erf GELU."""
    stages = recorded(dataclasses.replace(CONFIG, activation="gelu"))
    assert suspect(stages).explain("layer.0.activation").cause == "gelu_erf"
    stages = {**RIGHT, "layer.0.activation": np.tanh(RIGHT["layer.0.intermediate"])}
    assert suspect(stages).explain("layer.0.activation").cause == "tanh"


def test_a_model_that_is_shorter():
    weights = {
        name.replace("layer_2/", "layer_1/") if "layer_2/" in name else name: tensor
        for name, tensor in WEIGHTS.items()
        if "transformer_layer_1/" not in name
    }
    stages = recorded(dataclasses.replace(CONFIG, num_layers=2), weights)
    found = suspect(stages).explain("layer.1.query")
    assert found.cause == "layer_missing"
    assert "layer 1 is left out" in found.says
    stages = {**RIGHT, "sequence_output": RIGHT["layer.1.output_layer_norm"]}
    assert suspect(stages).explain("sequence_output").cause == "layers_left_out"


def test_inputs_exchanged():
    inputs = {"segment_ids": INPUTS["padding_mask"], "padding_mask": INPUTS["segment_ids"]}
    found = suspect(recorded(**inputs)).explain("embeddings.segment")
    assert found.cause == "inputs_exchanged"
    assert found.score == CONFIG.num_layers


def test_what_explains_more_stages_is_named():
    name = "transformer_layer_1/self_attention_layer/{}/{}"
    weights = dict(WEIGHTS)
    for tensor in ("kernel", "bias"):
        pair = name.format("query", tensor), name.format("key", tensor)
        weights |= dict(zip(pair, (WEIGHTS[each] for each in reversed(pair))))
    one = suspect(recorded(weights=weights))
    found = one.explain("layer.1.query")
    assert (found.cause, found.score) == ("weights_swapped", 1)
    one.replay.follow(found.variant)
    assert not one.off("layer.1.key")


def test_what_cannot_be_told_apart_is_said():
    """The position table has two equal rows here, so that two mistakes give the same numbers."""
    table = "position_embedding/embeddings"
    weights = {**WEIGHTS, table: np.repeat(WEIGHTS[table][:1], 6, axis=0)}
    weights[table][1:] += 1
    stages = recorded(weights=weights)
    stages["embeddings.position"] = np.broadcast_to(
        weights[table][1], stages["embeddings.position"].shape
    )
    replay = Replay(graph(CONFIG), weights, INPUTS, stages)
    found = Suspect(replay, CONFIG, {}).explain("embeddings.position")
    assert found.cause == "position_offset"
    assert "has positions counted from 2, where 0 is expected" in found.others


def test_the_sides_own_weights_explain_what_nothing_else_does():
    name = "transformer_layer_0/feedforward_output_dense/bias"
    wrong = np.random.default_rng(1).normal(size=WEIGHTS[name].shape).astype(np.float32)
    stages = recorded(weights={**WEIGHTS, name: wrong})
    assert suspect(stages).explain("layer.0.output") is None
    found = suspect(stages, own={name: (wrong, "times 7")}).explain("layer.0.output")
    assert (found.cause, found.score) == (search.WEIGHTS, 0)
    assert found.says == f"has other weights: {name} is times 7"


def test_one_cause_may_be_asked_for():
    stages = {**RIGHT, "layer.0.activation": np.maximum(RIGHT["layer.0.intermediate"], 0)}
    assert suspect(stages).explain("layer.0.activation", "gelu_quick") is None
    assert suspect(stages).explain("layer.0.activation", "relu").cause == "relu"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"activation": "gelu"}, "comes from layers whose activation is the erf GELU"),
        ({"layer_norm_epsilon": 1e-3}, "comes from ops all over the model, each of which adds"),
    ],
)
def test_the_same_mistake_in_every_layer_is_seen_from_the_end(wrong, says):
    stages = recorded(dataclasses.replace(CONFIG, **wrong))
    found = suspect({"sequence_output": stages["sequence_output"]}).explain("sequence_output")
    assert found.says.startswith(says)


def test_one_layer_is_seen_from_the_end():
    name = "transformer_layer_1/feedforward_output_dense/bias"
    stages = recorded(weights={**WEIGHTS, name: np.zeros_like(WEIGHTS[name])})
    found = suspect({"sequence_output": stages["sequence_output"]}).explain("sequence_output")
    assert found.cause == "bias_missing"
    assert found.says == "comes from layer.1.output, which lacks the bias"


def test_there_is_an_end_to_the_search(monkeypatch):
    monkeypatch.setattr(search, "PATIENCE", -1.0)
    wrong = {"sequence_output": RIGHT["sequence_output"][..., ::-1].copy()}
    one = suspect(wrong)
    assert one.explain("sequence_output") is None
    assert one.hurried


RANDOM = np.random.default_rng(8)
EDITS = {
    "noise": lambda x: x * (1 + 0.01 * RANDOM.normal(size=x.shape)),
    "little noise": lambda x: x * (1 + 1e-4 * RANDOM.normal(size=x.shape)),
    "more": lambda x: x + 0.1,
    "larger": lambda x: 1.01 * x,
    "negative": lambda x: -x,
    "absolute": np.abs,
    "nothing": lambda x: 0 * x,
    "one": lambda x: 0 * x + 1,
    "not a number": lambda x: x * np.nan,
    "some infinite": lambda x: np.where(RANDOM.random(x.shape) < 0.01, np.inf, x),
    "features rolled": lambda x: np.roll(x, 1, -1),
    "tokens rolled": lambda x: np.roll(x, 1, 1),
    "features turned round": lambda x: x[..., ::-1],
    "clipped": lambda x: np.clip(x, -0.5, 0.5),
    "two digits": lambda x: np.round(x, 2),
    "holes": lambda x: x * (RANDOM.random(x.shape) < 0.9),
}
MISTAKES = {  # of the edits, those that people make
    ("larger", "scores"): "attention_scale",
    ("nothing", "position"): "position_missing",
    ("nothing", "segment"): "segment_missing",
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("case", ["deep", "no_layers", "one_head", "dropout_zero"])
def test_what_is_no_known_mistake_is_not_named(case, name):
    """Whatever is done to what was recorded, at any stage."""
    config, inputs, weights = goldens.config(case), goldens.inputs(case), goldens.weights(case)
    stages = {}
    reference.forward(config, weights, **inputs, seen=stages.__setitem__)
    for stage in [stage for stage in stages if not stage.startswith(("layer.1", "layer.2"))]:
        with np.errstate(invalid="ignore"):
            wrong = np.asarray(EDITS[name](stages[stage]), np.float32)
        replay = Replay(graph(config), weights, inputs, {**stages, stage: wrong})
        one = Suspect(replay, config, {})
        found = one.explain(stage) if one.off(stage) else None
        expected = MISTAKES.get((name, stage.rpartition(".")[2]))
        assert (found.cause if found else None) == expected, (stage, found)
