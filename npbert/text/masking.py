"""Tokens hidden at random, for a model to learn to fill in.

Source: Devlin et al. 2018, section 3.1; keras_hub/src/layers/preprocessing/
masked_lm_mask_generator.py, ``MaskedLMMaskGenerator``.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.config import check_int, check_number
from npbert.errors import ConfigError
from npbert.text.tokenizer_settings import MAX_LENGTH

I32 = NDArray[np.int32]


class Masked(NamedTuple):
    """B sequences of T tokens with some of them hidden; M is ``mask_selection_length``.

    Args:
        token_ids: (B, T) int32.
        positions: (B, M) int32, where the hidden tokens are, in ascending order, then 0.
        ids: (B, M) int32, what they were, then 0.
        weights: (B, M) float32, 1 for each hidden token, then 0.
    """

    token_ids: I32
    positions: I32
    ids: I32
    weights: NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class MaskRates:
    """How many tokens are hidden, and what stands in their place.

    Args:
        mask_selection_rate: the probability of each token.
        mask_selection_length: the most in one sequence; of more, so many are drawn.
        mask_token_rate: the share of them that become [MASK].
        random_token_rate: the share of them that become any token; the rest stay as they are.

    Raises:
        ConfigError: a rate is not in [0, 1], or the last two are more than 1 together.
    """

    mask_selection_rate: float = 0.15
    mask_selection_length: int = 96
    mask_token_rate: float = 0.8
    random_token_rate: float = 0.1

    def __post_init__(self) -> None:
        for name in ("mask_selection_rate", "mask_token_rate", "random_token_rate"):
            check_number(name, getattr(self, name), 0.0, 1.0)
        check_int("mask_selection_length", self.mask_selection_length, 1, MAX_LENGTH)
        together = self.mask_token_rate + self.random_token_rate
        if together > 1 + 1e-9:
            raise ConfigError(
                "mask_token_rate and random_token_rate are more than 1 together.",
                received=f"{self.mask_token_rate} + {self.random_token_rate}",
                fix="they are shares of the tokens that are hidden; the rest stay as they are",
            )


class Masking:
    """Hides tokens. Sequences drawn one after the other are the same as in one batch.

    Args:
        rates: how many, and what stands in their place.
        vocabulary_size: any id below it may.
        mask_token_id: [MASK].
        never: ids that are not hidden: the special tokens.
        seed: of the random numbers; None takes others every time.

    Raises:
        ConfigError: the seed is no int of 0 or more.
    """

    def __init__(
        self,
        rates: MaskRates,
        *,
        vocabulary_size: int,
        mask_token_id: int,
        never: list[int],
        seed: int | None,
    ) -> None:
        if seed is not None:
            check_int("seed", seed, 0, 2**63 - 1)
        self._rates = rates
        self._size, self._mask, self._never = vocabulary_size, mask_token_id, never
        self._random = np.random.default_rng(seed)

    def __call__(self, token_ids: I32) -> Masked:
        """(B, T) int32 -> the same with tokens hidden; the input stays as it is."""
        ids, shape = token_ids.copy(), (len(token_ids), self._rates.mask_selection_length)
        positions, hidden = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        found = Masked(ids, positions, hidden, np.zeros(shape, np.float32))
        for i, row in enumerate(token_ids):
            chosen = self._choose(row)
            found.positions[i, : len(chosen)] = chosen
            found.ids[i, : len(chosen)] = row[chosen]
            found.weights[i, : len(chosen)] = 1
            ids[i, chosen] = self._replace(row[chosen])
        return found

    def _choose(self, row: I32) -> NDArray[np.int64]:
        """The positions to hide in (T,) tokens, ascending."""
        drawn = self._random.random(len(row)) < self._rates.mask_selection_rate
        chosen = np.flatnonzero(drawn & ~np.isin(row, self._never))
        most = self._rates.mask_selection_length
        if len(chosen) > most:
            chosen = np.sort(self._random.choice(chosen, most, replace=False))
        return chosen

    def _replace(self, hidden: I32) -> I32:
        """What stands in the place of (k,) tokens."""
        drawn = self._random.random(len(hidden))
        anything = self._random.integers(self._size, size=len(hidden), dtype=np.int32)
        masked, rates = drawn < self._rates.mask_token_rate, self._rates
        either = drawn < rates.mask_token_rate + rates.random_token_rate
        return np.where(masked, np.int32(self._mask), np.where(either, anything, hidden))
