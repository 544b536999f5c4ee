"""The vocabulary of a tokenizer: from a list or from a file with one token a line."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from npbert.errors import ConfigError, ModelFileError
from npbert.weights.files import read_whole

_MAX_BYTES: Final = 128_000_000


def read_vocabulary(vocabulary: object, needed: Iterable[str]) -> tuple[str, ...]:
    """The tokens; the place of each is its id.

    Args:
        vocabulary: the tokens, or the path of a file.
        needed: the tokens that it must have.

    Raises:
        ConfigError: it is neither, an element is no str, a token is there twice or is lacking.
        ModelFileError: the file is missing, or not text in UTF-8.
    """
    if isinstance(vocabulary, str | os.PathLike):
        path = Path(vocabulary)
        return _check(_lines(path), needed, path)
    if not isinstance(vocabulary, Iterable):
        raise ConfigError(
            "the vocabulary must be a list of tokens or the path of a file.",
            received=f"{vocabulary!r:.80} ({type(vocabulary).__name__})",
            fix="pass vocabulary=[...] or the path of a vocabulary.txt, or use from_preset",
        )
    return _check(vocabulary, needed, "vocabulary")


def _lines(path: Path) -> list[str]:
    """One token a line, without white space at its end; a line ends as it does on any system."""
    return tokens_in(read_whole(path, _MAX_BYTES, fix="check that it is a vocabulary"), path)


def tokens_in(content: bytes, path: Path) -> list[str]:
    """The tokens in what was read of a vocabulary's file.

    Raises:
        ModelFileError: it is not text in UTF-8.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFileError(
            f"not UTF-8 at byte {error.start}.",
            where=path,
            received=f"{content[error.start : error.start + 16]!r}",
            expected="one token a line, in UTF-8",
            fix="get the file again; it is damaged or in another encoding",
        ) from None
    return _split(text)


def _split(text: str) -> list[str]:
    return [line.rstrip() for line in io.StringIO(text, newline=None)]


def vocabulary_bytes(vocabulary: Sequence[str]) -> bytes:
    """The file of a vocabulary.

    Raises:
        ConfigError: a token would be another one when the file is read.
    """
    try:
        content = "".join(f"{token}\n" for token in vocabulary).encode()
    except UnicodeEncodeError as error:
        raise _not_saved(f"{error.object[error.start]!r}") from None
    for token, read in zip_longest(vocabulary, _split(content.decode())):
        if token != read:
            raise _not_saved(f"{token!r}, which would be read as {read!r}")
    return content


def _not_saved(received: str) -> ConfigError:
    return ConfigError(
        "the vocabulary cannot be saved: its file has one token a line.",
        received=received,
        expected="tokens without line breaks, and without white space at their end",
    )


def _check(vocabulary: Iterable[Any], needed: Iterable[str], where: object) -> tuple[str, ...]:
    tokens = tuple(vocabulary)
    ids: dict[str, int] = {}
    for id, token in enumerate(tokens):
        if not isinstance(token, str):
            raise ConfigError(
                "a token of the vocabulary must be a str.",
                where=f"{where}, id {id}",
                received=f"{token!r:.80} ({type(token).__name__})",
            )
        if ids.setdefault(token, id) != id:
            raise ConfigError(
                f"the vocabulary has {token!r} twice, so its id is not known.",
                where=where,
                received=f"ids {ids[token]} and {id}",
                expected="tokens that all differ, even without the white space at their end",
                fix="take the vocabulary that belongs to the model",
            )
    if lacking := [token for token in needed if token not in ids]:
        raise ConfigError(
            f"the vocabulary lacks {', '.join(dict.fromkeys(lacking))}.",
            where=where,
            received=f"{len(tokens)} tokens",
            fix="take the vocabulary that belongs to the model, or add the tokens to it",
        )
    return tokens


def check_fits(tokens: int, vocabulary_size: int, where: object) -> None:
    """Refuse a tokenizer that does not belong to a model: checked where the two meet.

    Args:
        tokens: how many the tokenizer has.
        vocabulary_size: V of the model, which may have rows that no token has.
        where: the model's directory.

    Raises:
        ConfigError: the model has no row for some token.
    """
    if tokens > vocabulary_size:
        raise ConfigError(
            "the tokenizer does not belong to the model, which has no rows for some of its tokens.",
            where=where,
            received=f"{tokens} tokens; vocabulary_size={vocabulary_size}",
            expected="no more tokens than the model has rows in its token table",
            fix="take both from the same preset",
        )
