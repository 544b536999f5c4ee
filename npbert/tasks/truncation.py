"""What is said of texts that are longer than the model reads."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.caller import warn_caller
from npbert.errors import InputError
from npbert.tasks.encode_options import OnTruncate
from npbert.text.limits import Limit
from npbert.text.tokenizer import Encoded

_NAMED: Final = 5  # numbers of texts in a warning


class EncodeInfo(NamedTuple):
    """What ``Embedder.encode`` made of each text.

    Args:
        n_tokens: (n,) int64, the tokens of each text as a whole, with [CLS], [SEP] and the prompt.
        truncated: (n,) bool, whether only ``limit`` of them were read.
        limit: the most tokens that the model reads at once.
    """

    n_tokens: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    limit: int


class Report:
    """Texts that were cut, in one call that may tokenize them a few at a time."""

    def __init__(self, limit: Limit, on_truncate: OnTruncate) -> None:
        self._limit, self._on_truncate = limit, on_truncate
        self._texts = self._cut = self._longest = 0
        self._first: list[int] = []

    def note(self, encoded: Encoded) -> None:
        """Take notice of further texts.

        Raises:
            InputError: one was cut, and ``on_truncate`` is ``"error"``.
        """
        where = self._texts + np.flatnonzero(encoded.cut)
        if len(where) and self._on_truncate == "error":
            raise self._error(int(where[0]), int(encoded.full_lengths[encoded.cut][0]))
        self._texts += len(encoded.ids)
        self._cut += len(where)
        self._longest = max(self._longest, int(encoded.full_lengths.max(initial=0)))
        self._first += where[: _NAMED - len(self._first)].tolist()

    def warn(self) -> None:
        """One warning for all of them, if ``on_truncate`` is ``"warn"``."""
        if not self._cut or self._on_truncate != "warn":
            return
        more = ", ..." if self._cut > len(self._first) else ""
        warn_caller(
            f"cut {self._cut:,} of {self._texts:,} texts after {self._limit.value} tokens, the"
            f" limit of {self._limit.source}: inputs[{', '.join(map(str, self._first))}{more}];"
            f" the longest has {self._longest:,}; on_truncate='chunk' reads all of a text"
        )

    def _error(self, index: int, tokens: int) -> InputError:
        return InputError(
            "a text is longer than the model reads.",
            where=f"inputs[{index}]",
            received=f"{tokens:,} tokens",
            expected=f"at most {self._limit.value}, the limit of {self._limit.source}",
            fix="split it, or choose another on_truncate: 'chunk' reads all of it",
        )
