"""What the pictures take out of a cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npbert.errors import InputError, InputTypeError

Values: TypeAlias = NDArray[np.float64]
StageCache: TypeAlias = Mapping[str, ArrayLike]
"""Stage name -> its value, the batch first, as `BertBackbone.run_with_cache` gives it."""


def stage(cache: StageCache, name: str, row: int) -> Values:
    """One sequence's value of a stage, in float64.

    Raises:
        InputError: the cache does not have the stage, or not so many sequences.
        InputTypeError: it is no cache.
    """
    layers = num_layers(cache)
    try:  # not `in`: it knows the stages' own names alone
        found = numbers(cache[name], name)
    except KeyError:
        raise InputError(
            "the cache does not have this stage.",
            where=name,
            received=f"{len(cache)} stages, {layers} layers",
            fix="run_with_cache(inputs) keeps all of them; layers are counted from 0",
        ) from None
    return found[index(row, len(found), "row")]


def numbers(x: ArrayLike, where: str) -> Values:
    """An array in float64.

    Raises:
        InputError: it is none of numbers, or its rows have different lengths.
    """
    try:
        found = np.asarray(x)
        if found.dtype != object:
            return found.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise InputError(
        "a picture is made of an array of numbers.",
        where=where,
        received=repr(x)[:80],
        expected="numbers, and rows of one length",
    )


def index(value: int, count: int, name: str) -> int:
    """A number that says which of ``count``.

    Raises:
        InputError: there are not so many.
    """
    if not isinstance(value, int | np.integer) or not 0 <= value < count:
        raise InputError(
            f"there is no such {name}.", where=name, received=value, expected=f"0 to {count - 1}"
        )
    return value


def num_layers(cache: Mapping[str, Any]) -> int:
    """How many layers the stages of a cache are of.

    Raises:
        InputTypeError: it is no cache.
    """
    if not isinstance(cache, Mapping):
        raise InputTypeError(
            "a picture is made of the cache of a model's stages.",
            where="cache",
            received=type(cache).__name__,
            expected="the second of the two values that run_with_cache gives",
            fix="outputs, cache = model.run_with_cache(inputs)",
        )
    layers = [int(name.split(".")[1]) for name in cache if name.startswith("layer.")]
    return 1 + max(layers, default=-1)


def check_tokens(tokens: Sequence[str], T: int) -> list[str]:
    """The tokens; fewer than ``T`` leave out the end, which is padding.

    Raises:
        InputError: there are none, or more than the model was given; or they are no texts.
    """
    texts = not isinstance(tokens, str) and all(isinstance(each, str) for each in tokens)
    if not texts or not 1 <= len(tokens) <= T:
        raise InputError(
            "tokens must be a list of the sequence's tokens as text.",
            where="tokens",
            received=f"{len(tokens)} tokens" if texts else repr(tokens)[:80],
            expected=f"1 to {T} tokens",
            fix="of ids: [tokenizer.id_to_token(i) for i in ids]",
        )
    return list(tokens)
