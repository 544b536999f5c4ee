from __future__ import annotations

import numpy as np

from npbert.parity.replay import Replay
from npbert.teaching.toy_run import MASKED, TOKENS, changed, encode, fill, run, tokenizer, toy_run


def test_the_graph_gives_the_stages_of_the_reference():
    for activation in (None, "gelu"):
        model = toy_run(activation)
        assert model.config.activation == (activation or "gelu_approximate")
        replay = Replay(model.steps, model.weights, model.inputs, {})
        for stage, value in model.stages.items():
            np.testing.assert_allclose(replay.compute(stage), value, rtol=1e-9, atol=1e-12)


def test_every_row_has_padding_and_one_is_a_pair():
    inputs = toy_run().inputs
    assert inputs["token_ids"].shape == (3, TOKENS)
    assert (inputs["padding_mask"].sum(axis=1) < TOKENS).all()
    assert inputs["segment_ids"].any(axis=1).tolist() == [False, False, True]


def test_the_masked_word():
    model = run(toy_run().config, encode((MASKED,)))
    place = model.inputs["token_ids"][0].tolist().index(tokenizer().mask_token_id)
    assert fill(model.stages["sequence_output"], place) == "bank"


def test_a_changed_model():
    model = toy_run()
    other = changed(model, {"layer.0.scores": np.zeros(3)}, layer_norm_epsilon=0.5)
    assert other.config.layer_norm_epsilon == 0.5
    assert other.stages["layer.0.scores"].shape == (3,)
    assert model.stages["layer.0.scores"].shape == (3, 2, TOKENS, TOKENS)
