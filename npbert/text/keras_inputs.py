"""What Keras Hub's tokenizers and preprocessors may be called with, as plain lists.

Source: keras_hub/src/utils/tensor_utils.py, ``canonicalize_python_string_inputs`` and
``canonicalize_python_token_inputs``. Here a batch has one dimension, and a text is a str.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from npbert.errors import InputError, InputTypeError
from npbert.text.checks import check_id, check_text


def texts_of(inputs: object, where: str = "inputs") -> tuple[list[str], bool]:
    """The texts, and whether they are a batch.

    Args:
        inputs: a str, or a list, tuple, array or column of them.
        where: what to call it in messages.

    Raises:
        InputTypeError: anything else.
        InputError: a text is not valid Unicode, or far too long.
    """
    batched = is_batch(inputs)
    texts: list[Any] = plain(inputs) if batched else [inputs]
    for i, text in enumerate(texts):
        _check(text, f"{where}[{i}]" if batched else where)
    return texts, batched


def words_of(inputs: object, where: str = "inputs") -> tuple[list[list[str]], bool]:
    """Texts that are split already, as lists of words, and whether they are a batch.

    Args:
        inputs: a word, a list of them for one text, or a list of such lists for a batch.
        where: what to call it in messages.

    Raises:
        InputTypeError, InputError: as for `texts_of`.
    """
    parts = plain(inputs) if is_batch(inputs) else []
    if parts and all(map(is_batch, parts)):
        return [texts_of(part, f"{where}[{i}]")[0] for i, part in enumerate(parts)], True
    return [texts_of(inputs, where)[0]], False


def samples_of(x: object) -> tuple[list[tuple[str, ...]], bool]:
    """The segments of each input, and whether they are a batch.

    Args:
        x: as for a call of `npbert.text.preprocessor.Preprocessor`.

    Raises:
        InputTypeError: anything else.
        InputError: the lists of a tuple are of different lengths, or a tuple is empty.
    """
    if not isinstance(x, tuple):
        if not is_batch(x):
            return [_segments((x,), "x")], False
        parts = [part if isinstance(part, tuple) else (part,) for part in plain(x)]
        return [_segments(part, f"x[{i}]") for i, part in enumerate(parts)], True
    if not any(map(is_batch, x)):
        return [_segments(x, "x")], False
    columns = [texts_of(column, f"x[{i}]") for i, column in enumerate(x)]
    lengths = [len(texts) if batched else None for texts, batched in columns]
    if len(set(lengths)) > 1:
        raise InputError(
            "the segments of a batch must be lists of one length.",
            where="x",
            received=", ".join("a str" if n is None else f"a list of {n}" for n in lengths),
            fix="a tuple is segments: give labels as y=",
        )
    return list(zip(*(texts for texts, _ in columns))), True


def _segments(parts: tuple[object, ...], where: str) -> tuple[str, ...]:
    """The segments of one input."""
    if not parts:
        raise InputError("an input has no segments.", where=where, received="()")
    for i, part in enumerate(parts):
        _check(part, where if len(parts) == 1 else f"{where}[{i}]")
    return cast("tuple[str, ...]", parts)


def ids_of(inputs: object) -> tuple[list[list[int]], bool]:
    """Sequences of token ids, and whether they are a batch.

    Args:
        inputs: an int, a list or an array of them, or a list or an array of such sequences.

    Raises:
        InputTypeError: anything else.
    """
    parts = plain(inputs) if is_batch(inputs) else [inputs]
    batched = bool(parts) and all(map(is_batch, parts))
    sequences: list[list[Any]] = [plain(part) for part in parts] if batched else [parts]
    for id in (id for sequence in sequences for id in sequence):
        check_id(id, "an int, a list of int, or a list of such lists")
    return sequences, batched


def is_batch(inputs: object) -> bool:
    """Whether it holds several things, as a list does and a str does not."""
    if isinstance(inputs, np.ndarray):
        return inputs.ndim > 0
    single = isinstance(inputs, str | bytes | bytearray | dict | set)
    return isinstance(inputs, Iterable) and not single


def plain(inputs: Any) -> list[Any]:
    """What a list, tuple, array or column holds."""
    return list(inputs.tolist() if isinstance(inputs, np.ndarray) else inputs)


def _check(text: object, where: str) -> None:
    if isinstance(text, str):
        check_text(text, where)
        return
    raise InputTypeError(
        "a text must be a str.",
        where=where,
        received=f"{text!r:.80} ({type(text).__name__})",
        expected="one str, one list of them, or for a preprocessor tuples of segments",
        fix="pass labels as y=, and decode bytes; replace what is missing by ''",
    )
