"""The toy: what it learnt, and that npbert computes with it what Keras does."""

from __future__ import annotations

import json

import goldens
import numpy as np
import pytest
import tolerances

from npbert.config import BertConfig
from npbert.reference import forward
from npbert.teaching import toy
from npbert.teaching.model import PRESET

CASE = "toy"


@pytest.fixture(scope="module")
def model():
    return toy()


def test_the_weights_are_the_goldens(model):
    theirs = goldens.bundle(CASE).group("weights")
    ours = dict(model.weights())
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        np.testing.assert_array_equal(tensor, theirs[name])
    assert model.backbone.config == goldens.config(CASE)


def test_the_reference_is_keras():
    weights, inputs = goldens.weights(CASE, np.float64), goldens.inputs(CASE)
    places = inputs.pop("mask_positions")
    assert places.shape == (5, 2)
    stages = {}
    forward(
        goldens.config(CASE),
        weights,
        **inputs,
        seen=stages.__setitem__,
        round_constants=lambda c: float(np.float32(c)),
    )
    names = goldens.stages(goldens.config(CASE))
    theirs = goldens.bundle(CASE).group("tf64")
    assert set(names) <= theirs.keys()
    found = goldens.first_divergence(names, stages, theirs, rtol=tolerances.REFERENCE_SAME)
    assert found is None


@pytest.mark.kernel
def test_the_kernels_are_keras(model):
    inputs = goldens.inputs(CASE)
    logits = model(inputs)
    _, stages = model.backbone.run_with_cache(
        {name: array for name, array in inputs.items() if name != "mask_positions"}
    )
    exact = goldens.bundle(CASE).group("tf64")
    names = goldens.stages(goldens.config(CASE))
    found = goldens.first_divergence(names, stages, exact, rtol=tolerances.STAGES_FLOAT64)
    assert found is None
    for source in ("tf64", "tf32", "jax32"):
        theirs = goldens.bundle(CASE).arrays[f"{source}.logits"]
        apart = np.abs(logits - theirs).max()
        assert apart <= tolerances.HEADS_FLOAT32 * np.abs(theirs).max(), source


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("text", "best"),
    [
        ("she put money in the [MASK].", "bank"),
        ("he sat on the [MASK] of the river.", "bank"),
        ("the [MASK] bank is wet.", "river"),
        ("the dog [MASK] near the river.", "is"),
        ("the old frogs by the river [MASK] wet.", "are"),
        ("the duck[MASK] are in the lake", "##s"),
    ],
)
def test_what_it_learnt(model, text, best):
    assert model.fill_mask(text)[0]["token_str"] == best


@pytest.mark.kernel
def test_a_bank_by_the_river_is_not_one_with_money(model):
    """The same token's vectors: nearer to those of its own sense."""

    def bank(text):
        ids = model.preprocessor.tokenizer.encode([text], 24).ids[0]
        inputs = {"token_ids": np.array([ids]), "padding_mask": np.ones((1, len(ids)), int)}
        inputs["segment_ids"] = 0 * inputs["token_ids"]
        place = list(ids).index(model.preprocessor.tokenizer.token_to_id("bank"))
        vector = model.backbone(inputs)["sequence_output"][0, place]
        return vector / np.linalg.norm(vector)

    water = [bank(f"the bank of the {name} is wet.") for name in ("river", "lake")]
    money = [bank(f"she put {name} in the bank.") for name in ("money", "gold")]
    across = max(float(a @ b) for a in water for b in money)
    assert float(water[0] @ water[1]) > across
    assert float(money[0] @ money[1]) > across


def test_where_it_comes_from():
    story = json.loads((PRESET / "provenance.json").read_text())
    assert story["before"]["accuracy"] < 0.1
    assert story["after"]["accuracy"] > 0.75
    assert story["versions"].keys() >= {"keras", "keras-hub"}


def test_its_dimensions_can_be_told_apart():
    config: BertConfig = goldens.config(CASE)
    sizes = (config.vocabulary_size, config.hidden_dim, config.head_dim, config.intermediate_dim)
    assert sizes == (59, 16, 8, 40)
    assert config.max_sequence_length == 24
