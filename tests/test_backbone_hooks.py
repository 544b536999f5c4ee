"""`run_with_cache` with a filter, `run_with_hooks`, hidden states and attentions."""

from __future__ import annotations

import goldens
import numpy as np
import pytest

from npbert import stages
from npbert.errors import ConfigError, InputError

pytestmark = pytest.mark.kernel

CASES = ("deep", "odd_width", "dropout_zero")


def same(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        assert np.array_equal(found[name], expected[name], equal_nan=True), name


@pytest.mark.parametrize("case", CASES)
def test_hooks_that_look_change_no_bit(case):
    model, batch = goldens.backbone(case), goldens.inputs(case)
    outputs, cache = model.run_with_cache(batch)
    seen = {}
    hooks = {name: lambda x, name=name: seen.update({name: x}) for name in cache}
    same(model.run_with_hooks(batch, hooks), outputs)
    same(seen, cache)
    same(model.run_with_hooks(batch, {}), model(batch))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_putting_a_stage_in_its_own_place_changes_nothing_but_rounding(case, dtype):
    model, batch = goldens.backbone(case, dtype=dtype), goldens.inputs(case)
    outputs, cache = model.run_with_cache(batch)
    limit = 1e-5 if dtype == "float32" else 0.1  # attention is then done by its definition
    for name in cache:
        found = model.run_with_hooks(batch, {name: lambda x: x})
        for output, value in found.items():
            error = np.abs(value.astype(np.float64) - outputs[output].astype(np.float64)).max()
            assert error <= limit, (name, output)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("stage", [*stages.IN_EMBEDDINGS, *stages.IN_LAYER])
def test_what_follows_is_computed_from_what_a_hook_returns(case, stage):
    """And what comes before it is as it was."""
    name = f"embeddings.{stage}" if stage in stages.IN_EMBEDDINGS else f"layer.0.{stage}"
    model, batch = goldens.backbone(case), goldens.inputs(case)
    _, cache = model.run_with_cache(batch)
    rng = np.random.default_rng(5)
    change = rng.uniform(0.5, 1.5, cache[name].shape).astype(np.float32)
    found = model.run_with_hooks(batch, {name: lambda x: x * change})
    changed = {}
    model.run_with_hooks(
        batch, {name: lambda x: x * change, **{n: _keep(changed, n) for n in cache if n != name}}
    )
    order = list(cache)
    for before in order[: order.index(name)]:
        assert np.array_equal(changed[before], cache[before]), before
    assert any(not np.array_equal(found[output], cache[output]) for output in found)
    same({k: v for k, v in changed.items() if k in found}, found)


def _keep(into, name):
    return lambda x: into.update({name: x})


def test_a_change_reaches_the_outputs_as_the_definitions_say():
    """All attention to one key: every context is that key's value."""
    model, batch = goldens.backbone("one_head"), goldens.inputs("one_head")
    seen = {}

    def first_key(probs):
        out = np.zeros_like(probs)
        out[..., 0] = 1
        return out

    hooks = {"blocks.0.attn.hook_pattern": first_key}
    for stage in ("value", "context"):
        hooks[f"layer.0.{stage}"] = _keep(seen, stage)
    model.run_with_hooks(batch, hooks)
    expected = np.broadcast_to(seen["value"][:, :1], seen["context"].shape)
    np.testing.assert_allclose(seen["context"], expected, rtol=1e-6)


def test_replaced_scores_go_through_the_softmax():
    model, batch = goldens.backbone("one_head"), goldens.inputs("one_head")
    probs = {}
    hooks = {"layer.0.scores": np.zeros_like, "layer.0.probs": _keep(probs, "probs")}
    model.run_with_hooks(batch, hooks)
    kept = batch["padding_mask"] != 0
    some = kept.any(axis=1)
    expected = kept / np.maximum(kept.sum(axis=1, keepdims=True), 1)
    rows = np.broadcast_to(expected[:, None, None], probs["probs"].shape)
    np.testing.assert_allclose(probs["probs"][some], rows[some], rtol=1e-6)


def test_a_hook_on_the_sequence_output_moves_the_pooled_one():
    model, batch = goldens.backbone("deep"), goldens.inputs("deep")
    found = model.run_with_hooks(batch, {"sequence_output": np.zeros_like})
    weights = goldens.weights("deep")
    expected = np.tanh(weights["pooled_dense/bias"])
    assert not found["sequence_output"].any()
    np.testing.assert_allclose(found["pooled_output"], np.tile(expected, (5, 1)), rtol=1e-5)


@pytest.mark.parametrize(
    "new", [np.zeros(3), "text", np.zeros((5, 6, 22), complex)], ids=["shape", "text", "complex"]
)
def test_a_hook_that_returns_nonsense(new):
    model, batch = goldens.backbone("deep"), goldens.inputs("deep")
    with pytest.raises(InputError, match="a hook returned") as caught:
        model.run_with_hooks(batch, {"layer.1.output": lambda x: new})
    assert caught.value.where == "layer.1.output"


def test_unknown_names():
    model, batch = goldens.backbone("deep"), goldens.inputs("deep")
    with pytest.raises(ConfigError, match="no stage of this name"):
        model.run_with_hooks(batch, {"layer.3.query": print})
    with pytest.raises(ConfigError, match="no stage of this name"):
        model.run_with_cache(batch, "layer.0.q")


def test_a_filter_keeps_what_it_names():
    model, batch = goldens.backbone("deep"), goldens.inputs("deep")
    outputs, everything = model.run_with_cache(batch)
    again, some = model.run_with_cache(batch, ["layer.1.probs", "encoder.layer.2"])
    same(again, outputs)
    assert set(some) == {"layer.1.probs", "layer.2.output_layer_norm"}
    same(dict(some), {name: everything[name] for name in some})
    assert np.array_equal(some["blocks.1.attn.hook_pattern"], everything["layer.1.probs"])
    assert model.run_with_cache(batch, lambda name: False)[1] == {}


def test_hidden_states_and_attentions():
    model, batch = goldens.backbone("deep"), goldens.inputs("deep")
    outputs, cache = model.run_with_cache(batch)
    found = model(batch, output_hidden_states=True, output_attentions=True)
    hidden, attentions = found.pop("hidden_states"), found.pop("attentions")
    same(found, outputs)
    assert (len(hidden), len(attentions)) == (4, 3)
    assert np.array_equal(hidden[0], cache["embeddings.layer_norm"])
    assert np.array_equal(hidden[3], outputs["sequence_output"])
    assert all(np.array_equal(attentions[i], cache[f"layer.{i}.probs"]) for i in range(3))
    assert model(batch, output_attentions=True).keys() == {*outputs, "attentions"}
