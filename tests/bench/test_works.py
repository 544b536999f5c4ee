"""Works: their names, their batches, their operations."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.bench import works
from npbert.bench.models import MODELS
from npbert.bench.works import Work
from npbert.errors import ConfigError


def test_names_and_groups():
    assert works.parse(["bert-base-8x128"]) == [
        Work("bert-base-8x128", "bert-base", "shape", 8, 128)
    ]
    assert works.parse(["minilm-ragged"]) == [Work("minilm-ragged", "minilm", "ragged")]
    assert [work.name for work in works.parse(["shapes"])] == list(works.SHAPES)
    assert [work.kind for work in works.parse(["ragged", "text"])] == ["ragged", "text"]


def test_a_work_named_twice_is_one():
    names = [work.name for work in works.parse(["batches", "lengths"])]
    assert names.count("bert-base-1x128") == 1


def test_every_group_is_of_models_that_there_are():
    assert {work.model for work in works.parse([*works.GROUPS])} <= set(MODELS)


@pytest.mark.parametrize(
    "name", ["bert-base", "bert-base-8x", "8x128", "tiny-１x２", "tiny-1x9999999999", ""]
)
def test_no_such_work(name):
    with pytest.raises(ConfigError, match="the bench knows no such work"):
        works.parse([name])


def test_drawn_ids_come_from_the_seed():
    first, again, other = (works.draw([5, 3, 9], 31, seed) for seed in (7, 7, 8))
    assert [len(ids) for ids in first] == [5, 3, 9]
    assert all(ids.dtype == np.int32 and ids.min() >= 0 and ids.max() < 31 for ids in first)
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))


def test_ragged_lengths_are_what_the_table_says():
    lengths = works.ragged_lengths(2026)
    assert len(lengths) == 32
    assert lengths == works.ragged_lengths(2026) != works.ragged_lengths(2027)
    many = [T for seed in range(200) for T in works.ragged_lengths(seed)]
    assert max(many) == 256
    assert abs(np.median(many) - 36) < 1


def test_one_batch_is_padded_on_the_right():
    (batch,) = works.one_batch(works.draw([2, 4, 3], 31, 0))
    np.testing.assert_array_equal(batch.mask, [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]])
    assert not batch.ids[batch.mask == 0].any()
    np.testing.assert_array_equal(batch.texts, [0, 1, 2])


def test_sorted_batches_are_of_like_length():
    batches = works.sorted_batches(works.draw([2, 7, 3, 5, 4], 31, 0), 2)
    assert [batch.ids.shape for batch in batches] == [(2, 7), (2, 4), (1, 2)]
    assert [batch.texts.tolist() for batch in batches] == [[1, 3], [4, 2], [0]]


def test_wider_than_needed():
    batch = works.pad(works.draw([2, 4], 31, 0), [1], 6)
    assert (batch.ids.shape, batch.mask.sum()) == ((1, 6), 4)


def test_a_file_of_batches(tmp_path):
    batches = works.sorted_batches(works.draw([2, 7, 3], 31, 0), 2)
    loaded = works.load(works.save(tmp_path / "batches.npz", batches))
    for before, after in zip(batches, loaded, strict=True):
        assert all(map(np.array_equal, before, after))


def test_operations_of_bert_base():
    """Devlin's BERT-base has 85 million weights in its products; each is used twice a token."""
    config = MODELS["bert-base"].config
    assert works.flops(config, [1]) == 2 * 84_934_656 + 12 * 4 * 768
    assert works.flops(config, [128] * 8) == 8 * works.flops(config, [128])
    assert works.flops(config, [512]) > 4 * works.flops(config, [128])
