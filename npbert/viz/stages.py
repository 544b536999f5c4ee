"""What the pictures take out of a cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.errors import InputError

Values: TypeAlias = NDArray[np.float64]
StageCache: TypeAlias = Mapping[str, ArrayLike]
"""Stage name -> its value, the batch first, as `BertBackbone.run_with_cache` gives it."""


def stage(cache: StageCache, name: str, row: int) -> Values:
    """One sequence's value of a stage, in float64.

    Raises:
        InputError: the cache does not have the stage, or not so many sequences.
    """
    try:
        found = np.asarray(cache[name], np.float64)
    except KeyError:
        raise InputError(
            "the cache does not have this stage.",
            where=name,
            received=f"{len(cache)} stages, {num_layers(cache)} layers",
            fix="run_with_cache(inputs) keeps all of them; layers are counted from 0",
        ) from None
    return found[index(row, len(found), "row")]


def index(value: int, count: int, name: str) -> int:
    """A number that says which of ``count``.

    Raises:
        InputError: there are not so many.
    """
    if not 0 <= value < count:
        raise InputError(
            f"there is no such {name}.", where=name, received=value, expected=f"0 to {count - 1}"
        )
    return value


def num_layers(cache: Mapping[str, Any]) -> int:
    """How many layers the stages of a cache are of."""
    numbers = [name.split(".")[1] for name in cache if name.startswith("layer.")]
    return 1 + max(map(int, numbers), default=-1)


def check_tokens(tokens: Sequence[str], T: int) -> list[str]:
    """The tokens; fewer than ``T`` leave out the end, which is padding.

    Raises:
        InputError: there are none, or more than the model was given.
    """
    if isinstance(tokens, str) or not 1 <= len(tokens) <= T:
        raise InputError(
            "tokens must be a list of the sequence's tokens as text.",
            where="tokens",
            received=repr(tokens) if isinstance(tokens, str) else f"{len(tokens)} tokens",
            expected=f"1 to {T} tokens",
        )
    return list(tokens)
