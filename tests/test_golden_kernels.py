"""The kernels against what Keras Hub and Hugging Face computed, stage by stage."""

from __future__ import annotations

import dataclasses

import goldens
import numpy as np
import pytest
import tolerances
from goldens import CASES, OUTPUTS
from hypothesis import given, settings
from hypothesis import strategies as st

from npbert import BertBackbone

pytestmark = pytest.mark.kernel

THREADS = (1, 2, 3)


def first_divergence(case, ours, source):
    exact = source == goldens.exact_source(case)
    rtol = tolerances.STAGES_FLOAT64 if exact else tolerances.STAGES_FLOAT32
    theirs = goldens.bundle(case).group(source)
    return goldens.first_divergence(goldens.stages(goldens.config(case)), ours, theirs, rtol=rtol)


@pytest.mark.parametrize("case", CASES)
def test_every_stage(case):
    outputs, stages = goldens.backbone(case).run_with_cache(goldens.inputs(case))
    assert list(stages) == goldens.stages(goldens.config(case))
    assert {value.dtype for value in stages.values()} == {np.dtype(np.float32)}
    for source in (goldens.exact_source(case), *goldens.float32_sources(case)):
        assert first_divergence(case, stages, source) is None, source
    for name in OUTPUTS:
        np.testing.assert_array_equal(outputs[name], stages[name])


def test_the_goldens_hold_what_these_tests_are_for():
    """Both mask paths, every kind of mask, T = 1, T = P, several heads, both GELUs."""
    configs = [goldens.config(case) for case in CASES]
    tokens = {case: goldens.inputs(case)["token_ids"].shape[1] for case in CASES}
    longest = {case: goldens.config(case).max_sequence_length for case in CASES}
    masks = {kind for case in CASES for kind in goldens.bundle(case).meta["masks"]}
    assert masks == {"full", "ragged", "holes", "left", "empty"}
    assert {c.dropout == 0 for c in configs} == {True, False}
    assert {c.activation for c in configs} == {"gelu", "gelu_approximate"}
    assert {1, 32, 64} <= {c.num_heads for c in configs} | {c.head_dim for c in configs}
    assert 0 in {c.num_layers for c in configs}
    assert 1 in tokens.values()
    assert any(tokens[case] == longest[case] for case in CASES)
    assert any(c.hidden_dim % 16 for c in configs)
    assert any(c.hidden_dim > 256 for c in configs)
    accuracy = [len(goldens.inputs(case, "accuracy.inputs").get("token_ids", ())) for case in CASES]
    assert sum(accuracy) >= 200


@pytest.mark.parametrize("case", ["odd_width", "hf_odd_width_erf"])
def test_a_wrong_activation_is_named(case):
    config = goldens.config(case)
    other = "gelu" if config.activation == "gelu_approximate" else "gelu_approximate"
    config = dataclasses.replace(config, activation=other)
    model = BertBackbone.from_weights(config, goldens.weights(case))
    _, stages = model.run_with_cache(goldens.inputs(case))
    found = first_divergence(case, stages, goldens.exact_source(case))
    assert found is not None
    assert found.stage == "layer.0.activation"


@pytest.mark.parametrize("case", ["deep", "dropout_zero", "hf_deep_erf", "one_token"])
def test_a_fully_masked_row_follows_its_path(case):
    row = goldens.bundle(case).meta["masks"].index("empty")
    _, stages = goldens.backbone(case).run_with_cache(goldens.inputs(case))
    probs, context = stages["layer.0.probs"][row], stages["layer.0.context"][row]
    T = probs.shape[-1]
    if goldens.config(case).dropout == 0:  # uniform over all keys
        np.testing.assert_array_equal(probs, np.float32(1) / np.float32(T))
    else:
        assert not probs.any()
        assert not context.any()
    assert np.isfinite(stages["sequence_output"][row]).all()


@st.composite
def rearranged(draw):
    """A case, some of its rows in some order, more padding on the right, and threads."""
    case = draw(st.sampled_from(CASES))
    config, batch = goldens.config(case), goldens.inputs(case)
    B, T = batch["token_ids"].shape
    rows = draw(st.lists(st.integers(0, B - 1), min_size=1, max_size=B + 3))
    padding = draw(st.integers(0, config.max_sequence_length - T))
    fill = np.random.default_rng(draw(st.integers(0, 99)))
    wide = {
        "token_ids": fill.integers(config.vocabulary_size, size=(len(rows), T + padding)),
        "segment_ids": fill.integers(config.num_segments, size=(len(rows), T + padding)),
        "padding_mask": np.zeros((len(rows), T + padding), np.int64),
    }
    for name, array in wide.items():
        array[:, :T] = batch[name][rows]
    return case, rows, wide, draw(st.sampled_from(THREADS)), draw(st.booleans())


@settings(deadline=None)
@given(rearranged())
def test_rows_padding_order_and_threads(drawn):
    case, rows, batch, threads, skip_padding = drawn
    outputs = goldens.backbone(case, threads)(batch, skip_padding=skip_padding)
    theirs = goldens.bundle(case).group(goldens.exact_source(case))
    T = goldens.inputs(case)["token_ids"].shape[1]
    mask = goldens.inputs(case)["padding_mask"][rows] != 0
    # Uniform over all keys is uniform over more of them once there is more padding.
    uniform = ~mask.any(axis=1) & (goldens.config(case).dropout == 0)
    comparable = ~uniform if batch["token_ids"].shape[1] > T else np.ones(len(rows), bool)
    kept = mask | ~mask.any(axis=1, keepdims=True) if skip_padding else np.ones_like(mask)
    kept &= comparable[:, None]
    sequence = outputs["sequence_output"][:, :T]
    ours = {"s": sequence[kept], "p": outputs["pooled_output"][comparable]}
    exact = {
        "s": theirs["sequence_output"][rows][kept],
        "p": theirs["pooled_output"][rows][comparable],
    }
    rtol = tolerances.STAGES_FLOAT64
    assert goldens.first_divergence("sp", ours, exact, rtol=rtol) is None
