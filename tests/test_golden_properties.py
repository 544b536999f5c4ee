"""What must not change a bit: batch, order, padding, threads, tracing, and what a mask drops."""

from __future__ import annotations

import goldens
import numpy as np
import pytest
from goldens import CASES, OUTPUTS, assert_same_bits, bits
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.kernel

THREADS = (1, 2, 3)
cases = st.sampled_from(CASES)
threads = st.sampled_from(THREADS)


def plain(case):
    """The case's own batch on one thread: what all else is compared with."""
    return goldens.backbone(case)(goldens.inputs(case))


def select(batch, rows):
    return {name: array[rows] for name, array in batch.items()}


def kept_positions(case):
    """bool (B, T): what ``skip_padding`` computes, with sequences of no kept token in full."""
    mask = goldens.inputs(case)["padding_mask"] != 0
    return mask | ~mask.any(axis=1, keepdims=True)


@settings(deadline=None)
@given(cases, threads, st.data())
def test_permuting_the_batch(case, count, data):
    batch = goldens.inputs(case)
    order = data.draw(st.permutations(range(len(batch["token_ids"]))))
    outputs = goldens.backbone(case, count)(select(batch, order))
    assert_same_bits(outputs, select(plain(case), order))


@settings(deadline=None)
@given(cases, threads, st.data())
def test_repeating_and_leaving_out_rows(case, count, data):
    batch = goldens.inputs(case)
    row = st.integers(0, len(batch["token_ids"]) - 1)
    rows = data.draw(st.lists(row, min_size=1, max_size=40))
    outputs = goldens.backbone(case, count)(select(batch, rows))
    assert_same_bits(outputs, select(plain(case), rows))


@settings(deadline=None)
@given(cases, threads, st.booleans(), st.data())
def test_adding_padding(case, count, skip_padding, data):
    batch, config = goldens.inputs(case), goldens.config(case)
    B, T = batch["token_ids"].shape
    more = data.draw(st.integers(0, config.max_sequence_length - T))
    ids = data.draw(st.integers(0, config.vocabulary_size - 1))
    wide = {
        "token_ids": np.pad(batch["token_ids"], ((0, 0), (0, more)), constant_values=ids),
        "segment_ids": np.pad(batch["segment_ids"], ((0, 0), (0, more))),
        "padding_mask": np.pad(batch["padding_mask"], ((0, 0), (0, more))),
    }
    outputs = goldens.backbone(case, count)(wide, skip_padding=skip_padding)
    expected = goldens.backbone(case)(batch, skip_padding=skip_padding)
    # A fully masked row of the fused path is an average over all keys, new padding included.
    empty = ~batch["padding_mask"].any(axis=1)
    rows = ~(empty & (config.dropout == 0)) if more else np.ones(B, bool)
    outputs["sequence_output"] = outputs["sequence_output"][:, :T]
    assert_same_bits(outputs, expected, rows)


@pytest.mark.parametrize("case", CASES)
def test_splitting_the_batch(case):
    batch = goldens.inputs(case)
    alone = [
        goldens.backbone(case)(select(batch, slice(row, row + 1)))
        for row in range(len(batch["token_ids"]))
    ]
    joined = {name: np.concatenate([one[name] for one in alone]) for name in OUTPUTS}
    assert_same_bits(joined, plain(case))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", THREADS)
def test_threads(case, count):
    assert_same_bits(goldens.backbone(case, count)(goldens.inputs(case)), plain(case))


@settings(deadline=None)
@given(cases, threads, st.integers(1, 9), st.booleans())
def test_predict_is_one_call(case, count, batch_size, skip_padding):
    batch, model = goldens.inputs(case), goldens.backbone(case, count)
    outputs = model.predict(batch, batch_size, skip_padding=skip_padding, show_progress_bar=False)
    expected = goldens.backbone(case)(batch, skip_padding=skip_padding)
    assert_same_bits(outputs, expected)


@pytest.mark.parametrize("case", CASES)
def test_tracing(case):
    outputs, stages = goldens.backbone(case).run_with_cache(goldens.inputs(case))
    assert_same_bits(outputs, plain(case))
    last = goldens.stages(goldens.config(case))[-3]  # the last stage before the outputs
    np.testing.assert_array_equal(bits(stages[last]), bits(outputs["sequence_output"]))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", THREADS)
def test_skipping_padding(case, count):
    kept = kept_positions(case)
    outputs = goldens.backbone(case, count)(goldens.inputs(case), skip_padding=True)
    expected = plain(case)
    sequence = outputs["sequence_output"]
    np.testing.assert_array_equal(bits(sequence[kept]), bits(expected["sequence_output"][kept]))
    np.testing.assert_array_equal(bits(sequence[~kept]), 0)  # +0, also in a masked column 0
    np.testing.assert_array_equal(bits(outputs["pooled_output"]), bits(expected["pooled_output"]))


def test_the_goldens_mask_column_0_of_sequences_that_keep_others():
    """Without such rows, the test above would not see what happens to that column."""
    masks = [goldens.inputs(case)["padding_mask"] != 0 for case in CASES]
    assert sum(int((~mask[:, 0] & mask.any(axis=1)).sum()) for mask in masks) > 10


@settings(deadline=None)
@given(cases, threads, st.data())
def test_ragged_sequences_are_rows_without_padding(case, count, data):
    config = goldens.config(case)
    T = config.max_sequence_length
    lengths = data.draw(st.lists(st.integers(1, T), min_size=1, max_size=5))
    ids = goldens.bundle(case).arrays["inputs.token_ids"]
    sequences = [np.resize(ids[i % len(ids)], length) for i, length in enumerate(lengths)]
    token_ids = np.zeros((len(lengths), max(lengths)), np.int64)
    there = np.arange(max(lengths)) < np.array(lengths)[:, None]
    token_ids[there] = np.concatenate(sequences)
    batch = {"token_ids": token_ids, "segment_ids": token_ids * 0, "padding_mask": there}
    more = {}
    if data.draw(st.booleans()):
        segments = np.resize(goldens.inputs(case)["segment_ids"], token_ids.shape)
        batch["segment_ids"] = segments * there
        more["segment_ids"] = [row[:n] for row, n in zip(segments, lengths, strict=True)]
    if data.draw(st.booleans()):  # also sequences of which nothing is kept
        kept = np.random.default_rng(len(sequences)).random(there.shape) < 0.5
        kept[data.draw(st.integers(0, len(lengths) - 1))] = False
        # A sequence without a kept key looks at all of its keys, or at none: compare the others.
        batch["padding_mask"] = kept & there
        more["padding_mask"] = [row[:n] for row, n in zip(kept, lengths, strict=True)]
    model = goldens.backbone(case, count)
    rows, starts = model.encode_ragged(sequences, **more)
    expected = goldens.backbone(case)(batch)
    some = batch["padding_mask"].any(axis=1) | (config.dropout > 0)
    compared = np.repeat(some, lengths)
    rectangle = expected["sequence_output"][there]
    np.testing.assert_array_equal(
        bits(rows[compared, : config.hidden_dim]), bits(rectangle[compared])
    )
    pooled = model.pool_ragged(rows, starts)[some, : config.hidden_dim]
    np.testing.assert_array_equal(bits(pooled), bits(expected["pooled_output"][some]))
    np.testing.assert_array_equal(np.diff(starts), lengths)


@pytest.mark.parametrize("case", ["odd_width", "dropout_zero", "deep", "hf_deep_erf"])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.parametrize("skip_padding", [False, True])
def test_what_the_mask_drops_does_not_leak(case, poison, skip_padding):
    """A NaN in a masked token's vector stays there; Keras would multiply it by 0 and spread it."""
    batch = {name: array.copy() for name, array in goldens.inputs(case).items()}
    mask = batch["padding_mask"] != 0
    bad = goldens.config(case).vocabulary_size - 1
    batch["token_ids"][batch["token_ids"] == bad] = 0
    partly = mask.any(axis=1)
    clean = goldens.backbone(case)(batch, skip_padding=skip_padding)
    batch["token_ids"][~mask & partly[:, None]] = bad
    weights = goldens.weights(case)
    weights["token_embedding/embeddings"][bad] = poison
    model = goldens.unchecked_backbone(goldens.config(case), weights)
    outputs = model(batch, skip_padding=skip_padding)
    kept = kept_positions(case)
    np.testing.assert_array_equal(
        bits(outputs["sequence_output"][kept]), bits(clean["sequence_output"][kept])
    )
    first = kept[:, 0]
    np.testing.assert_array_equal(
        bits(outputs["pooled_output"][first]), bits(clean["pooled_output"][first])
    )
    if not skip_padding:  # a masked token's own vector is made of the NaN
        assert np.isnan(outputs["sequence_output"][~kept]).all()


@pytest.mark.parametrize("case", ["odd_width", "one_head"])
def test_a_nan_that_is_kept_shows(case):
    weights = goldens.weights(case)
    weights["token_embedding/embeddings"][:] = np.nan
    model = goldens.unchecked_backbone(goldens.config(case), weights)
    outputs = model(goldens.inputs(case))
    for array in outputs.values():
        assert np.isnan(array).all()


def test_calls_do_not_share_their_results():
    model, batch = goldens.backbone("odd_width"), goldens.inputs("odd_width")
    first = model(batch)
    before = {name: array.copy() for name, array in first.items()}
    model(select(batch, slice(2)), skip_padding=True)
    model.encode_ragged([np.array([1, 2, 3])])
    assert_same_bits(first, before)
