"""What must not change a bit: batch, order, padding, threads, tracing, and what a mask drops.

In every dtype policy: a case is drawn, or named, with one.
"""

from __future__ import annotations

import goldens
import numpy as np
import pytest
from goldens import CASES_OF, MODELS, OUTPUTS, POLICIES, assert_same_bits, bits
from hypothesis import given, settings
from hypothesis import strategies as st

from npbert.simd.precision import PRECISIONS

pytestmark = pytest.mark.kernel

THREADS = (1, 2, 3, 4)
threads = st.sampled_from(THREADS)
every_policy = pytest.mark.parametrize("dtype", POLICIES)
POISONED = [name for name in PRECISIONS if name != "float16_from_float32"]
"""There, a NaN in the weights, which no checked model has, is a finite number."""
every_model = pytest.mark.parametrize(("case", "dtype"), MODELS)


def drawn(data, dtype):
    """One of the policy's cases."""
    return data.draw(st.sampled_from(CASES_OF[dtype]), "case")


def plain(case, dtype, **how):
    """The case's own batch on one thread: what all else is compared with."""
    return goldens.backbone(case, dtype=dtype)(goldens.inputs(case), **how)


def select(batch, rows):
    return {name: array[rows] for name, array in batch.items()}


def assert_same_values(rows, outputs):
    """Rows may be wider than outputs; their values are the same, to the last bit."""
    np.testing.assert_array_equal(bits(rows), bits(outputs.astype(rows.dtype)))


def kept_positions(case):
    """bool (B, T): what ``skip_padding`` computes, with sequences of no kept token in full."""
    mask = goldens.inputs(case)["padding_mask"] != 0
    return mask | ~mask.any(axis=1, keepdims=True)


@every_policy
@settings(deadline=None)
@given(threads, st.data())
def test_permuting_the_batch(dtype, count, data):
    case = drawn(data, dtype)
    batch = goldens.inputs(case)
    order = data.draw(st.permutations(range(len(batch["token_ids"]))))
    outputs = goldens.backbone(case, count, dtype)(select(batch, order))
    assert_same_bits(outputs, select(plain(case, dtype), order))


@every_policy
@settings(deadline=None)
@given(threads, st.data())
def test_repeating_and_leaving_out_rows(dtype, count, data):
    case = drawn(data, dtype)
    batch = goldens.inputs(case)
    row = st.integers(0, len(batch["token_ids"]) - 1)
    rows = data.draw(st.lists(row, min_size=1, max_size=40))
    outputs = goldens.backbone(case, count, dtype)(select(batch, rows))
    assert_same_bits(outputs, select(plain(case, dtype), rows))


@every_policy
@settings(deadline=None)
@given(threads, st.booleans(), st.data())
def test_adding_padding(dtype, count, skip_padding, data):
    case = drawn(data, dtype)
    batch, config = goldens.inputs(case), goldens.config(case)
    B, T = batch["token_ids"].shape
    more = data.draw(st.integers(0, config.max_sequence_length - T))
    ids = data.draw(st.integers(0, config.vocabulary_size - 1))
    wide = {
        "token_ids": np.pad(batch["token_ids"], ((0, 0), (0, more)), constant_values=ids),
        "segment_ids": np.pad(batch["segment_ids"], ((0, 0), (0, more))),
        "padding_mask": np.pad(batch["padding_mask"], ((0, 0), (0, more))),
    }
    outputs = goldens.backbone(case, count, dtype)(wide, skip_padding=skip_padding)
    expected = plain(case, dtype, skip_padding=skip_padding)
    # A fully masked row of the fused path is an average over all keys, new padding included.
    empty = ~batch["padding_mask"].any(axis=1)
    rows = ~(empty & (config.dropout == 0)) if more else np.ones(B, bool)
    outputs["sequence_output"] = outputs["sequence_output"][:, :T]
    assert_same_bits(outputs, expected, rows)


@every_model
def test_splitting_the_batch(case, dtype):
    batch, model = goldens.inputs(case), goldens.backbone(case, dtype=dtype)
    rows = range(len(batch["token_ids"]))
    alone = [model(select(batch, slice(row, row + 1))) for row in rows]
    joined = {name: np.concatenate([one[name] for one in alone]) for name in OUTPUTS}
    assert_same_bits(joined, plain(case, dtype))


@every_model
@pytest.mark.parametrize("count", THREADS)
def test_threads(case, dtype, count):
    outputs = goldens.backbone(case, count, dtype)(goldens.inputs(case))
    assert_same_bits(outputs, plain(case, dtype))


@every_policy
@settings(deadline=None)
@given(threads, st.integers(1, 9), st.booleans(), st.data())
def test_predict_is_one_call(dtype, count, batch_size, skip_padding, data):
    case = drawn(data, dtype)
    batch, model = goldens.inputs(case), goldens.backbone(case, count, dtype)
    outputs = model.predict(batch, batch_size, skip_padding=skip_padding, show_progress_bar=False)
    assert_same_bits(outputs, plain(case, dtype, skip_padding=skip_padding))


@every_model
def test_tracing(case, dtype):
    outputs, stages = goldens.backbone(case, dtype=dtype).run_with_cache(goldens.inputs(case))
    assert_same_bits(outputs, plain(case, dtype))
    last = goldens.stages(goldens.config(case))[-3]  # the last stage before the outputs
    np.testing.assert_array_equal(bits(stages[last]), bits(outputs["sequence_output"]))


@every_model
@pytest.mark.parametrize("count", THREADS)
def test_skipping_padding(case, dtype, count):
    kept = kept_positions(case)
    outputs = goldens.backbone(case, count, dtype)(goldens.inputs(case), skip_padding=True)
    expected = plain(case, dtype)
    sequence = outputs["sequence_output"]
    np.testing.assert_array_equal(bits(sequence[kept]), bits(expected["sequence_output"][kept]))
    np.testing.assert_array_equal(bits(sequence[~kept]), 0)  # +0, also in a masked column 0
    np.testing.assert_array_equal(bits(outputs["pooled_output"]), bits(expected["pooled_output"]))


@every_policy
def test_the_goldens_mask_column_0_of_sequences_that_keep_others(dtype):
    """Without such rows, the test above would not see what happens to that column."""
    masks = [goldens.inputs(case)["padding_mask"] != 0 for case in CASES_OF[dtype]]
    found = sum(int((~mask[:, 0] & mask.any(axis=1)).sum()) for mask in masks)
    assert found > (10 if dtype == "float32" else 1)


@every_policy
@settings(deadline=None)
@given(threads, st.data())
def test_ragged_sequences_are_rows_without_padding(dtype, count, data):
    case = drawn(data, dtype)
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
    model = goldens.backbone(case, count, dtype)
    rows, starts = model.encode_ragged(sequences, **more)
    expected = goldens.backbone(case, dtype=dtype)(batch)
    some = batch["padding_mask"].any(axis=1) | (config.dropout > 0)
    compared = np.repeat(some, lengths)
    rectangle = expected["sequence_output"][there]
    assert_same_values(rows[compared, : config.hidden_dim], rectangle[compared])
    pooled = model.pool_ragged(rows, starts)[some, : config.hidden_dim]
    assert_same_values(pooled, expected["pooled_output"][some])
    np.testing.assert_array_equal(np.diff(starts), lengths)


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *((case, "float32") for case in ("odd_width", "dropout_zero", "deep", "hf_deep_erf")),
        *((case, each) for each in POISONED[1:] for case in ("odd_width", "dropout_zero")),
    ],
)
@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.parametrize("skip_padding", [False, True])
def test_what_the_mask_drops_does_not_leak(case, dtype, poison, skip_padding):
    """A NaN in a masked token's vector stays there; Keras would multiply it by 0 and spread it."""
    batch = {name: array.copy() for name, array in goldens.inputs(case).items()}
    mask = batch["padding_mask"] != 0
    bad = goldens.config(case).vocabulary_size - 1
    batch["token_ids"][batch["token_ids"] == bad] = 0
    partly = mask.any(axis=1)
    clean = goldens.backbone(case, dtype=dtype)(batch, skip_padding=skip_padding)
    batch["token_ids"][~mask & partly[:, None]] = bad
    weights = goldens.weights(case)
    weights["token_embedding/embeddings"][bad] = poison
    model = goldens.unchecked_backbone(goldens.config(case), weights, dtype)
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
@pytest.mark.parametrize("dtype", POISONED)
def test_a_nan_that_is_kept_shows(case, dtype):
    weights = goldens.weights(case)
    weights["token_embedding/embeddings"][:] = np.nan
    model = goldens.unchecked_backbone(goldens.config(case), weights, dtype)
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
