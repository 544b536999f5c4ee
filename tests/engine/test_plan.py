"""A batch as ragged rows: which tokens are rows, which rows are keys."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npbert.engine.plan import plan_batch, plan_sequences

MASK = np.array(
    [
        [1, 1, 1, 0, 0],
        [0, 1, 0, 1, 1],  # a hole, and column 0 dropped
        [0, 0, 0, 0, 0],
    ],
    bool,
)
IDS = np.arange(10, 25, dtype=np.int32).reshape(3, 5)
SEGMENTS = (IDS % 2).astype(np.int32)

masks = hnp.arrays(
    np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), fill=st.nothing()
)


def plan(mask=MASK, *, skip_padding=False, fused=False):
    B, T = mask.shape
    ids = np.arange(B * T, dtype=np.int32).reshape(B, T)
    return plan_batch(ids, ids % 3, mask, skip_padding=skip_padding, fused=fused)


def keys_of(plan, b):
    """The positions of the keys of sequence b."""
    keys = plan.keys[plan.key_starts[b] : plan.key_starts[b + 1]]
    assert (plan.sequences[keys] == b).all()
    return plan.positions[keys].tolist()


def test_with_padding_every_token_is_a_row():
    made = plan_batch(IDS, SEGMENTS, MASK, skip_padding=False, fused=False)
    assert (made.rows, made.batch, made.most_keys) == (15, 3, 3)
    np.testing.assert_array_equal(made.token_ids, IDS.ravel())
    np.testing.assert_array_equal(made.segment_ids, SEGMENTS.ravel())
    np.testing.assert_array_equal(made.positions, np.tile(np.arange(5), 3))
    np.testing.assert_array_equal(made.sequences, np.repeat(np.arange(3), 5))
    np.testing.assert_array_equal(made.row_starts, [0, 5, 10, 15])
    assert [keys_of(made, b) for b in range(3)] == [[0, 1, 2], [1, 3, 4], []]
    assert not made.uniform.any()


def test_without_padding_column_0_stays_for_the_pooler():
    made = plan_batch(IDS, SEGMENTS, MASK, skip_padding=True, fused=False)
    rows = [made.positions[made.sequences == b].tolist() for b in range(3)]
    assert rows == [[0, 1, 2], [0, 1, 3, 4], [0, 1, 2, 3, 4]]  # nothing kept: computed in full
    assert [keys_of(made, b) for b in range(3)] == [[0, 1, 2], [1, 3, 4], []]
    np.testing.assert_array_equal(made.token_ids, IDS[made.sequences, made.positions])


def test_the_fused_path_averages_all_keys_where_none_is_kept():
    for skip_padding in (False, True):
        made = plan(skip_padding=skip_padding, fused=True)
        assert made.uniform.tolist() == [False, False, True]
        assert keys_of(made, 2) == [0, 1, 2, 3, 4]
        assert keys_of(made, 1) == [1, 3, 4]


@given(masks, st.booleans(), st.booleans())
def test_every_batch(mask, skip_padding, fused):
    made = plan(mask, skip_padding=skip_padding, fused=fused)
    B, T = mask.shape
    assert (made.batch, made.rows) == (B, len(made.token_ids))
    np.testing.assert_array_equal(made.token_ids, made.sequences * T + made.positions)
    np.testing.assert_array_equal(made.segment_ids, made.token_ids % 3)
    np.testing.assert_array_equal(made.uniform, ~mask.any(axis=1) & fused)
    for b in range(B):
        rows = made.positions[made.row_starts[b] : made.row_starts[b + 1]]
        assert rows[0] == 0  # for the pooler
        assert (np.diff(rows) > 0).all()
        wanted = (
            set(range(T)) if not (skip_padding and mask[b].any()) else {0, *mask[b].nonzero()[0]}
        )
        assert set(rows.tolist()) == wanted
        kept = np.ones(T, bool) if made.uniform[b] else mask[b]
        assert keys_of(made, b) == kept.nonzero()[0].tolist()
    assert made.most_keys == max(len(keys_of(made, b)) for b in range(B))
    for array in (made.token_ids, made.positions, made.segment_ids):
        assert array.dtype == np.int32
        assert array.flags.c_contiguous
    for array in (made.row_starts, made.keys, made.key_starts):
        assert array.dtype == np.int64


@given(masks, st.booleans(), st.booleans(), st.data())
def test_a_part_is_the_plan_of_its_sequences(mask, skip_padding, fused, data):
    whole = plan(mask, skip_padding=skip_padding, fused=fused)
    stop = data.draw(st.integers(1, whole.batch))
    start = data.draw(st.integers(0, stop - 1))
    T = mask.shape[1]
    part, alone = (
        whole.part(start, stop),
        plan(mask[start:stop], skip_padding=skip_padding, fused=fused),
    )
    np.testing.assert_array_equal(part.token_ids, alone.token_ids + start * T)
    np.testing.assert_array_equal(part.sequences, alone.sequences + start)
    for name in ("positions", "row_starts", "keys", "key_starts", "uniform"):
        np.testing.assert_array_equal(getattr(part, name), getattr(alone, name), name)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 30))
def test_parts_are_as_large_as_they_may_be(lengths, rows):
    whole = plan_sequences([np.arange(n, dtype=np.int32) for n in lengths])
    parts = list(whole.parts(rows))
    assert [start for start, _ in parts] == [0, *[stop for _, stop in parts[:-1]]]
    assert parts[-1][1] == len(lengths)
    for start, stop in parts:
        assert sum(lengths[start:stop]) <= rows or stop == start + 1
        assert stop == len(lengths) or sum(lengths[start : stop + 1]) > rows


def test_sequences_without_padding():
    made = plan_sequences([np.array(x, np.int32) for x in ([7, 8], [9], [4, 5, 6])])
    assert made.token_ids.tolist() == [7, 8, 9, 4, 5, 6]
    assert made.positions.tolist() == [0, 1, 0, 0, 1, 2]
    assert made.sequences.tolist() == [0, 0, 1, 2, 2, 2]
    assert made.row_starts.tolist() == made.key_starts.tolist() == [0, 2, 3, 6]
    assert made.keys.tolist() == list(range(6))
    assert not made.segment_ids.any()
    assert not made.uniform.any()


def test_sequences_with_segments_and_masks():
    sequences = [np.array(x, np.int32) for x in ([7, 8], [9], [4, 5, 6])]
    segments = [np.array(x, np.int32) for x in ([0, 1], [2], [1, 1, 0])]
    kept = [np.array(x, bool) for x in ([1, 0], [0], [0, 1, 1])]
    made = plan_sequences(sequences, segments, kept)
    assert made.segment_ids.tolist() == [0, 1, 2, 1, 1, 0]
    assert made.row_starts.tolist() == [0, 2, 3, 6]
    assert made.keys.tolist() == [0, 4, 5]
    assert made.key_starts.tolist() == [0, 1, 1, 3]
    assert not made.uniform.any()
    made = plan_sequences(sequences, segments, kept, fused=True)
    assert made.uniform.tolist() == [False, True, False]
    assert made.keys.tolist() == [0, 2, 4, 5]
    assert made.key_starts.tolist() == [0, 1, 2, 4]


def test_no_sequences():
    made = plan_sequences([])
    assert (made.rows, made.batch, made.most_keys) == (0, 0, 0)
    assert list(made.parts(5)) == []
