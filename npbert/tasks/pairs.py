"""What a caller gives as texts, where a text may also be a pair of segments."""

from __future__ import annotations

from typing import Any, cast

from npbert.errors import InputError, InputTypeError
from npbert.text.checks import Text
from npbert.text.keras_inputs import is_batch, plain, samples_of


def texts_and_pairs(x: object) -> tuple[list[Text], bool]:
    """The texts, and whether it is a single one.

    Args:
        x: a str; a tuple of two, which is one pair; a list, generator or column of texts, of pairs
            or of both, where a pair may be a list too; or a tuple of two lists: all first segments
            and all second ones, as Keras Hub has it.

    Raises:
        InputTypeError: anything else; the message has the index.
        InputError: a text is not valid Unicode, or far too long; or more than two segments.
    """
    if hasattr(x, "columns"):
        raise InputTypeError(
            "a whole table is not texts.",
            received=type(x).__name__,
            fix="pass one column, or for pairs a tuple of two: (list(a), list(b))",
        )
    if is_batch(x) and not isinstance(x, tuple):
        x = [tuple(plain(each)) if _is_list(each) else each for each in plain(x)]
    samples, batched = samples_of(x)
    for i, segments in enumerate(samples):
        if len(segments) > 2:
            raise InputError(
                "an input has more than two segments.",
                where=f"x[{i}]" if batched else "x",
                received=f"{len(segments)} segments",
                expected="a text, or a pair",
                fix="pass several texts as a list",
            )
    texts = [each[0] if len(each) == 1 else cast("tuple[str, str]", each) for each in samples]
    return texts, not batched


def _is_list(each: Any) -> bool:
    return is_batch(each) and not isinstance(each, tuple)
