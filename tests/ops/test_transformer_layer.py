"""Layers as one kernel: the bits of the ops one by one, on any number of threads."""

from __future__ import annotations

import threading
from functools import cache

import goldens
import numpy as np
import pytest

from npbert.engine import forward
from npbert.engine.forward import Forward, Workspace
from npbert.engine.packed import PackedWeights
from npbert.engine.plan import plan_batch
from npbert.engine.trace import trace
from npbert.simd import barrier

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def a_call_for_each_layer(monkeypatch):
    """So that `run` can look between them."""
    monkeypatch.setattr(forward, "CALL_WORK", 0)


@cache
def model(case):
    """Packed weights, a plan with its padding, and the batch's shape."""
    config, batch = goldens.config(case), goldens.inputs(case)
    weights = PackedWeights(config, goldens.weights(case))
    ids, kept = batch["token_ids"], batch["padding_mask"] != 0
    fused = config.dropout == 0
    plan = plan_batch(ids, batch["segment_ids"], kept, skip_padding=False, fused=fused)
    return weights, plan, ids.shape


def run(case, parts):
    """What is in the pass's buffers before the first layer, and after each."""
    weights, plan, _ = model(case)
    spaces, state = [Workspace() for _ in range(parts)], barrier.new_state()
    one, seen, errors = Forward(weights, plan, spaces[0]), [], []
    one.embed()

    def keep():
        buffers = (one.x, one.context, one.hidden, one.wide)
        seen.append([each.copy() for each in buffers])

    def compute(part):
        def between():
            # Nobody is past the next layer's first barrier before number 0, and none of these
            # buffers is written before it.
            if part == 0:
                keep()
            return barrier.stopped(state)

        try:
            one.layers(part, parts, state, spaces[part], between)
        except BaseException as error:
            errors.append(error)
            barrier.stop(state)

    others = [threading.Thread(target=compute, args=(part,)) for part in range(1, parts)]
    for each in others:
        each.start()
    compute(0)
    for each in others:
        each.join(30)
    assert not any(each.is_alive() for each in others)
    assert errors == []
    keep()
    return seen


alone = cache(lambda case: run(case, 1))


@pytest.mark.parametrize("case", goldens.CASES)
def test_the_bits_of_every_layer_are_those_of_the_ops_one_by_one(case):
    weights, plan, (B, T) = model(case)
    stages, config = trace(weights, plan, T), weights.config
    seen = alone(case)
    assert len(seen) == config.num_layers + 1

    def check(rows, stage):
        expected = stages[stage].reshape(B * T, -1)
        ours = rows[:, : expected.shape[1]]
        np.testing.assert_array_equal(goldens.bits(ours), goldens.bits(expected), stage)

    check(seen[0][0], "embeddings.layer_norm")
    for i, (x, context, hidden, wide) in enumerate(seen[1:]):
        check(context, f"layer.{i}.context")
        check(wide, f"layer.{i}.activation")
        check(hidden, f"layer.{i}.output_residual")
        check(x, f"layer.{i}.output_layer_norm")


@pytest.mark.parametrize("parts", [2, 3, 4])
@pytest.mark.parametrize("case", goldens.CASES)
def test_the_bits_do_not_know_the_threads(case, parts):
    config = goldens.config(case)
    D, F = config.hidden_dim, config.intermediate_dim
    for layer, (ours, expected) in enumerate(zip(run(case, parts), alone(case), strict=True)):
        for i, (buffer, columns) in enumerate(zip(ours, (D, D, D, F), strict=True)):
            if layer or i == 0:  # before the first layer, scratch holds nothing
                np.testing.assert_array_equal(
                    goldens.bits(buffer[:, :columns]), goldens.bits(expected[i][:, :columns])
                )


@pytest.mark.parametrize("parts", [1, 2])
def test_the_bits_do_not_know_how_many_layers_a_call_runs(parts, monkeypatch):
    expected = alone("deep")[-1]
    layers = goldens.config("deep").num_layers
    for at_once in range(1, layers + 1):
        monkeypatch.setattr(forward, "_layers_at_once", lambda *_, n=at_once: n)
        found = run("deep", parts)
        assert len(found) == -(-layers // at_once) + 1
        np.testing.assert_array_equal(goldens.bits(found[-1][0]), goldens.bits(expected[0]))


def test_more_threads_than_there_is_work_for():
    """One row, one head, one panel: most threads have nothing to do but to wait."""
    for ours, expected in zip(run("one_token", 7), alone("one_token"), strict=True):
        np.testing.assert_array_equal(goldens.bits(ours[0]), goldens.bits(expected[0]))


@pytest.mark.parametrize("parts", [1, 3])
def test_what_was_in_the_buffers_does_not_matter(parts):
    """Scratch of an earlier, larger batch is used again."""
    case = "odd_width"
    weights, plan, _ = model(case)
    space = Workspace()
    for name in ("x", "qkv", "context", "hidden", "wide"):
        space.get(name, plan.rows + 3, 500).fill(np.nan)
    for each in space.for_attention(weights.config, plan.most_keys):
        each.fill(np.nan)
    one = Forward(weights, plan, space)
    one.embed()
    state = barrier.new_state()
    others = [
        threading.Thread(
            target=one.layers, args=(part, parts, state, Workspace(), lambda: False), daemon=True
        )
        for part in range(1, parts)
    ]
    for each in others:
        each.start()
    one.layers(0, parts, state, space, lambda: False)
    for each in others:
        each.join(30)
    np.testing.assert_array_equal(goldens.bits(one.x), goldens.bits(alone(case)[-1][0]))
