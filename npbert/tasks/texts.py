"""What a caller gives as texts, made into a list of str."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from npbert.errors import InputTypeError
from npbert.text.checks import check_text, is_pair

_NO_LISTS: Final = (bytes, bytearray, Mapping, set, frozenset)  # not text, or without an order
_REPLACE: Final = "drop it, or replace it by ''"


def texts_of(inputs: object) -> tuple[list[str], bool]:
    """The texts, and whether they are a single str.

    Args:
        inputs: a str; or a list, tuple, generator, NumPy array, pandas or polars column of them.

    Raises:
        InputTypeError: anything else; the message has the index.
        InputError: a text is not valid Unicode, or far too long.
    """
    if isinstance(inputs, str):
        return [checked(inputs, "inputs")], True
    return [checked(text, f"inputs[{i}]") for i, text in enumerate(several(inputs))], False


def several(inputs: object) -> Iterable[object]:
    """Something with an order that may hold texts; a str is one of them.

    Raises:
        InputTypeError: it is none.
    """
    if isinstance(inputs, str):
        return [inputs]
    columns = len(getattr(inputs, "shape", (0,)))
    if isinstance(inputs, Iterable) and not isinstance(inputs, _NO_LISTS) and columns == 1:
        return inputs
    raise InputTypeError(
        "inputs must be a str or a list of str.",
        received=type(inputs).__name__,
        fix="pass one column of it"
        if columns > 1
        else "pass a list; the order of the vectors is that of the texts",
    )


def blocks(inputs: Iterable[object], most: int, characters: int) -> Iterator[list[str]]:
    """The texts, a few at a time: ``most`` at most, and no more than about ``characters``.

    Raises:
        InputTypeError, InputError: as for `texts_of`.
    """
    block: list[str] = []
    size = 0
    for i, text in enumerate(inputs):
        block.append(checked(text, f"inputs[{i}]"))
        size += len(block[-1])
        if len(block) == most or size >= characters:
            yield block
            block, size = [], 0
    if block:
        yield block


def checked(text: object, where: str) -> str:
    """One text.

    Raises:
        InputTypeError, InputError: as for `texts_of`; ``where`` is in the message.
    """
    if isinstance(text, str):
        check_text(text, where)
        return text
    raise InputTypeError(
        "a text must be a str.",
        where=where,
        received=f"{text!r:.80} ({type(text).__name__})",
        fix=_remedy(text),
    )


def _remedy(text: object) -> str:
    if is_pair(text):
        return "BertTextClassifier takes pairs; here, join the two, or pass them one by one"
    if isinstance(text, bytes | bytearray):
        return "decode it: text.decode('utf-8')"
    if isinstance(text, Iterable):
        return "pass one flat list of texts"
    return _REPLACE
