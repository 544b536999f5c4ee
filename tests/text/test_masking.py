"""Which tokens are hidden, what stands in their place, and that a seed repeats it."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.errors import ConfigError
from npbert.text.masking import Masking, MaskRates

V, MASK, SPECIAL = 50, 4, [0, 2, 3, 4]


def masking(seed: int | None = 3, **rates: float) -> Masking:
    return Masking(
        MaskRates(**rates),  # type: ignore[arg-type]
        vocabulary_size=V,
        mask_token_id=MASK,
        never=SPECIAL,
        seed=seed,
    )


def batch(rows: int, tokens: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(V, size=(rows, tokens), dtype=np.int32)


def test_shapes_dtypes_and_what_is_recorded() -> None:
    ids = batch(3, 31)
    before = ids.copy()
    masked = masking(mask_selection_rate=0.4, mask_selection_length=20)(ids)
    np.testing.assert_array_equal(ids, before)
    assert masked.token_ids.shape == (3, 31)
    assert masked.positions.shape == masked.ids.shape == masked.weights.shape == (3, 20)
    assert [a.dtype for a in masked] == [np.int32, np.int32, np.int32, np.float32]
    for row in range(3):
        count = int(masked.weights[row].sum())
        assert 0 < count < 20
        positions = masked.positions[row, :count]
        assert (np.diff(positions) > 0).all()
        np.testing.assert_array_equal(masked.ids[row, :count], ids[row, positions])
        assert not masked.weights[row, count:].any()
        assert not masked.positions[row, count:].any()
        assert not masked.ids[row, count:].any()
        untouched = np.delete(np.arange(31), positions)
        np.testing.assert_array_equal(masked.token_ids[row, untouched], ids[row, untouched])


def test_special_tokens_are_never_hidden() -> None:
    ids = np.array([[2, 7, 4, 8, 3, 0, 0]], np.int32)
    masked = masking(mask_selection_rate=1.0, mask_token_rate=1.0, random_token_rate=0.0)(ids)
    assert masked.token_ids.tolist() == [[2, 4, 4, 4, 3, 0, 0]]
    assert masked.positions[0, :3].tolist() == [1, 3, 0]
    assert masked.ids[0, :3].tolist() == [7, 8, 0]


def test_rate_zero_hides_nothing() -> None:
    ids = batch(2, 11)
    masked = masking(mask_selection_rate=0.0)(ids)
    np.testing.assert_array_equal(masked.token_ids, ids)
    assert not masked.weights.any()


def test_of_too_many_so_many_are_drawn_and_not_the_first() -> None:
    ids = np.full((40, 60), 7, np.int32)
    masked = masking(mask_selection_rate=1.0, mask_selection_length=5)(ids)
    assert (masked.weights == 1).all()
    assert (np.diff(masked.positions, axis=1) > 0).all()
    assert masked.positions.max() > 50
    assert len(np.unique(masked.positions)) > 40


def test_shares_are_near_the_rates() -> None:
    ids = np.full((200, 100), 7, np.int32)
    masked = masking(mask_selection_rate=0.5, mask_selection_length=100)(ids)
    hidden = masked.weights.sum()
    chosen = np.concatenate(
        [row[p[: int(w.sum())]] for row, p, w in zip(masked.token_ids, *masked[1::2], strict=True)]
    )
    assert abs(hidden / ids.size - 0.5) < 0.02
    assert abs((chosen == MASK).mean() - (0.8 + 0.1 / V)) < 0.02
    assert abs((chosen == 7).mean() - (0.1 + 0.1 / V)) < 0.02
    assert len(np.unique(chosen)) == V


def test_a_seed_repeats_it_in_whatever_batches() -> None:
    ids = batch(6, 23)
    whole = masking(seed=9)(ids)
    again = masking(seed=9)
    parts = [again(ids[:1]), again(ids[1:4]), again(ids[4:])]
    for name in whole._fields:
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    assert not np.array_equal(masking(seed=10)(ids).token_ids, whole.token_ids)


def test_without_a_seed_it_differs() -> None:
    ids = batch(5, 200)
    assert not np.array_equal(masking(None)(ids).token_ids, masking(None)(ids).token_ids)


def test_no_rows() -> None:
    assert masking()(np.zeros((0, 7), np.int32)).weights.shape == (0, 96)


@pytest.mark.parametrize(
    ("rates", "what"),
    [
        ({"mask_selection_rate": 1.1}, r"mask_selection_rate must be a number in \[0, 1\]"),
        ({"mask_selection_rate": "0.1"}, "mask_selection_rate must be"),
        ({"mask_token_rate": True}, "mask_token_rate must be"),
        ({"random_token_rate": float("nan")}, "random_token_rate must be"),
        ({"mask_token_rate": 0.8, "random_token_rate": 0.3}, "more than 1 together"),
        ({"mask_selection_length": 0}, "mask_selection_length must be an int in"),
        ({"mask_selection_length": None}, "mask_selection_length must be an int"),
    ],
)
def test_wrong_rates(rates: dict[str, float], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        MaskRates(**rates)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_a_wrong_seed(seed: int) -> None:
    with pytest.raises(ConfigError, match="seed must be an int in \\[0, "):
        masking(seed)
