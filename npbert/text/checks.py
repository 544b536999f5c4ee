"""What may be a text or a token id, and how many texts go through a tokenizer at once.

A library that meets something else answers in its own words or not at all: half of a surrogate pair
becomes whatever its release makes of it, and 100 MB in one string fill the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeGuard

import numpy as np

from npbert.errors import InputError, InputTypeError

Text = str | tuple[str, str]
"""One text, or a pair of them that a model reads as two segments."""

MAX_CHARACTERS: Final = 20_000_000
"""The longest text; a tokenizer takes about 100 bytes of memory for each character."""

_TEXTS_AT_ONCE: Final = 1024
_CHARACTERS_AT_ONCE: Final = 1_000_000


def chunks(texts: Sequence[Text]) -> list[tuple[int, int]]:
    """Ranges of texts to tokenize together, bounded in number and in characters; all are checked.

    Raises:
        InputTypeError: an element is neither a str nor a pair of them.
        InputError: a text is not valid Unicode, or longer than `MAX_CHARACTERS`.
    """
    bounds, characters = [0], 0
    for index, text in enumerate(texts):
        size = check_text(text, f"texts[{index}]")
        characters += size
        full = index - bounds[-1] >= _TEXTS_AT_ONCE or characters > _CHARACTERS_AT_ONCE
        if full and index > bounds[-1]:
            bounds.append(index)
            characters = size
    return list(zip(bounds, [*bounds[1:], len(texts)], strict=True)) if texts else []


def check_text(text: object, where: str = "text") -> int:
    """How many characters a text or a pair has.

    Args:
        text: what the caller gave.
        where: its place, for messages: ``"texts[3]"``.

    Raises:
        InputTypeError, InputError: as for `chunks`.
    """
    if isinstance(text, str):
        return _check(text, where)
    if is_pair(text):
        return sum(_check(part, f"{where}[{i}]") for i, part in enumerate(text))
    raise InputTypeError(
        "a text must be a str.",
        where=where,
        received=f"{text!r:.80} ({type(text).__name__})",
        expected="a str, or a tuple of two for a pair of segments",
        fix="drop it, or replace it by '' to get what an empty text gives",
    )


def is_pair(text: object) -> TypeGuard[tuple[str, str]]:
    """Whether it is a tuple of two str."""
    return isinstance(text, tuple) and len(text) == 2 and all(isinstance(s, str) for s in text)


def parts_of(text: Text) -> tuple[str, ...]:
    """The segments of a text or of a pair that was checked."""
    return (text,) if isinstance(text, str) else text


def check_id(id: object, expected: str = "an int") -> None:
    """Refuse what is no int as a token id.

    Raises:
        InputTypeError: with ``expected``.
    """
    if isinstance(id, bool) or not isinstance(id, int | np.integer):
        raise InputTypeError(
            "a token id must be an int.",
            received=f"{id!r:.80} ({type(id).__name__})",
            expected=expected,
        )


def no_such_id(id: int, tokens: int) -> InputError:
    """The error for an id outside a vocabulary of so many tokens."""
    return InputError("the vocabulary has no such id.", received=id, expected=f"0 <= id < {tokens}")


def _check(text: str, where: str) -> int:
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            "the text is too long.",
            where=where,
            received=f"{len(text):,} characters",
            expected=f"at most {MAX_CHARACTERS:,}",
            fix="split it into passages; a model reads a few hundred words of each",
        )
    if not text.isascii():
        _check_unicode(text, where)
    return len(text)


def _check_unicode(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "the text is not valid Unicode: it has half of a surrogate pair.",
            where=f"{where}, character {error.start}",
            received=repr(text[error.start]),
            fix="decode it with errors='replace', or text.encode(errors='replace').decode()",
        ) from None
