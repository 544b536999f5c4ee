"""Which texts are computed together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npbert.errors import ConfigError

TOKENS_AT_ONCE: Final = 16_384
"""Tokens in one step unless another number is asked for: bounds the rows in memory."""


def batches(
    lengths: NDArray[np.int64], batch_size: int, max_batch_tokens: int
) -> Iterator[NDArray[np.intp]]:
    """Numbers of texts to compute together; longest first, so that the first step is the largest.

    Args:
        lengths: (B,), tokens of each text.
        batch_size: texts in one step at most.
        max_batch_tokens: tokens in one step at most, or those of one text that has more.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = int(lengths[order[start]])
        stop = start + max(1, min(batch_size, max_batch_tokens // longest))
        yield order[start:stop]
        start = stop


def check_count(name: str, value: object) -> int:
    """``value`` itself.

    Raises:
        ConfigError: it is no positive int.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ConfigError(f"{name} must be an int of 1 or more.", received=repr(value))
