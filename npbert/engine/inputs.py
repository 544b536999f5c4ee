"""What a caller passes, checked and made into the arrays that kernels may touch.

An id outside its table would make a kernel read memory that is not its own: nothing gets past here
unchecked. Every array is copied, so that a caller may change his own while the model runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.errors import InputError, InputTypeError

NAMES = ("token_ids", "segment_ids", "padding_mask")

_RANGE_FIXES = {
    "vocabulary_size": "use the tokenizer that belongs to this model",
    "num_segments": "number segments from 0",
}


class Inputs(NamedTuple):
    """A checked batch."""

    token_ids: NDArray[np.int32]  # (B, T)
    segment_ids: NDArray[np.int32]  # (B, T)
    kept: NDArray[np.bool_]  # (B, T): the padding mask; whatever is not 0 keeps

    def part(self, rows: slice) -> Inputs:
        """Some of the sequences."""
        return Inputs(self.token_ids[rows], self.segment_ids[rows], self.kept[rows])


def check_inputs(inputs: object, config: BertConfig) -> Inputs:
    """Check the dictionary that `BertBackbone` is called with.

    Raises:
        InputTypeError: not a dictionary of three integer arrays.
        InputError: keys, shapes or values that this model cannot take.
    """
    named = _check_names(inputs)
    arrays = {name: _as_array(name, named[name]) for name in NAMES}
    shape = arrays["token_ids"].shape
    for name, array in arrays.items():
        if array.ndim != 2:
            raise InputError(
                f"{name} must have two axes.",
                received=f"shape {array.shape}",
                expected="(batch, tokens)",
                fix="for a single sequence, wrap it in a list: [ids]" if array.ndim == 1 else None,
            )
        if array.shape != shape:
            raise InputError(
                "the three inputs must have one shape.",
                received=", ".join(f"{n} {a.shape}" for n, a in arrays.items()),
                fix="pad the shorter ones; npbert does not broadcast",
            )
    check_length(shape[1], config, "token_ids")
    token_ids = _as_integers("token_ids", arrays["token_ids"])
    segment_ids = _as_integers("segment_ids", arrays["segment_ids"])
    _check_range("token_ids", token_ids, config.vocabulary_size, "vocabulary_size")
    _check_range("segment_ids", segment_ids, config.num_segments, "num_segments")
    kept = _as_mask(arrays["padding_mask"])
    return Inputs(token_ids.astype(np.int32), segment_ids.astype(np.int32), kept)


def check_sequences(sequences: Sequence[object], config: BertConfig) -> list[NDArray[np.int32]]:
    """Check token ids that were never padded: one array of ids for each sequence."""
    checked: list[NDArray[np.int32]] = []
    for name, array in _each("token_ids", sequences):
        check_length(len(array), config, name)
        ids = _as_integers(name, array)
        _check_range(name, ids, config.vocabulary_size, "vocabulary_size")
        checked.append(ids.astype(np.int32))
    return checked


def check_segments(
    segment_ids: Sequence[object], sequences: Sequence[NDArray[np.int32]], config: BertConfig
) -> list[NDArray[np.int32]]:
    """Check segment ids that were never padded: one for each token of ``sequences``."""
    checked: list[NDArray[np.int32]] = []
    for name, array in _each("segment_ids", segment_ids):
        ids = _as_integers(name, array)
        _check_range(name, ids, config.num_segments, "num_segments")
        checked.append(ids.astype(np.int32))
    _check_lengths("segment_ids", checked, sequences)
    return checked


def check_kept(
    kept: Sequence[object], sequences: Sequence[NDArray[np.int32]]
) -> list[NDArray[np.bool_]]:
    """Check masks that were never padded: one value for each token of ``sequences``."""
    checked = [_as_mask(array) for _, array in _each("padding_mask", kept)]
    _check_lengths("padding_mask", checked, sequences)
    return checked


def check_positions(positions: object, inputs: Inputs) -> NDArray[np.intp]:
    """Check ``mask_positions``, (B, M): columns of a checked batch."""
    name = "mask_positions"
    array = _as_array(name, positions)
    B, T = inputs.token_ids.shape
    if array.ndim != 2 or len(array) != B:
        raise InputError(
            f"{name} must have one row for each sequence.",
            received=f"shape {array.shape}",
            expected=f"({B}, positions)",
        )
    checked = _as_integers(name, array)
    _check_range(name, checked, T, "the length of token_ids")
    return checked.astype(np.intp)


def _check_lengths(
    name: str, checked: Sequence[NDArray[Any]], sequences: Sequence[NDArray[np.int32]]
) -> None:
    found, expected = ([len(each) for each in lists] for lists in (checked, sequences))
    if found != expected:
        raise InputError(
            f"{name} and token_ids have different lengths.",
            received=f"sequences of {found!s:.60} tokens",
            expected=f"{expected!s:.60}",
            fix=f"give {name} one value for each token id",
        )


def _each(what: str, sequences: Sequence[object]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every sequence as an array of one axis, with its name."""
    if not isinstance(sequences, Sequence | np.ndarray):
        raise InputTypeError(
            "the sequences must be a list.",
            where=what,
            received=type(sequences).__name__,
            expected=f"one array of {what} for each sequence",
        )
    for i, each in enumerate(sequences):
        name = f"{what}[{i}]"
        array = _as_array(name, each)
        if array.ndim != 1:
            raise InputError(
                f"{name} must have one axis.", received=f"shape {array.shape}", expected="(tokens,)"
            )
        yield name, array


def check_length(tokens: int, config: BertConfig, name: str) -> None:
    """Between one token and as many as there are positions."""
    if tokens == 0:
        raise InputError(
            f"{name} has sequences of no tokens.",
            received="T = 0",
            expected=f"1 to {config.max_sequence_length} tokens",
            fix="a text that is empty still has [CLS] and [SEP]",
        )
    if tokens > config.max_sequence_length:
        raise InputError(
            f"{name} is longer than the model's position table.",
            received=f"{tokens} tokens",
            expected=f"at most {config.max_sequence_length} (max_sequence_length)",
            fix="truncate the text, or split it and pool the parts",
        )


def _check_names(inputs: object) -> Mapping[str, Any]:
    if not isinstance(inputs, Mapping):
        raise InputTypeError(
            "the model takes a dictionary.",
            received=type(inputs).__name__,
            expected="{" + ", ".join(f'"{name}": ...' for name in NAMES) + "}",
        )
    missing = [name for name in NAMES if name not in inputs]
    extra = sorted(str(name) for name in inputs if name not in NAMES)
    if missing or extra:
        problems = [f"lacks {', '.join(missing)}"] if missing else []
        problems += [f"has the unknown {', '.join(extra)}"] if extra else []
        raise InputError(
            f"the dictionary of inputs {' and '.join(problems)}.",
            received=", ".join(map(str, inputs)) or "no keys",
            expected=", ".join(NAMES),
            fix="segment_ids are zeros for a single text, padding_mask is 1 where a token is",
        )
    return inputs


def _as_array(name: str, value: Any) -> NDArray[Any]:
    """A NumPy array of whatever holds one: NumPy, PyTorch, TensorFlow, JAX, nested lists."""
    if value is None:
        raise InputTypeError(
            f"{name} is None.",
            expected="an integer array (batch, tokens)",
            fix="segment_ids are zeros for a single text, padding_mask is 1 where a token is",
        )
    if _is_masked(value):
        raise InputTypeError(
            f"{name} is a masked array with masked values.",
            fix="fill them, and pass the mask as padding_mask",
        )
    try:
        if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
            array = np.asarray(value)
        else:
            array = np.from_dlpack(value)
    except Exception as error:  # a foreign array that cannot be read, a ragged list
        raise InputTypeError(
            f"{name} cannot be read as an array.",
            received=f"{type(value).__name__}: {error}",
            expected="an integer array or nested lists of equal lengths",
        ) from error
    return np.asarray(array)


def _is_masked(value: Any) -> bool:
    """A masked array with masked values; NumPy loads their module only where it is used."""
    masked = sys.modules.get("numpy.ma")
    return masked is not None and isinstance(value, masked.MaskedArray) and masked.is_masked(value)


def _as_integers(name: str, array: NDArray[Any]) -> NDArray[np.integer[Any]]:
    if array.dtype.kind not in "iu" and array.size:
        raise InputTypeError(
            f"{name} must hold integers.",
            received=f"dtype {array.dtype}",
            expected="an integer dtype",
            fix="ids that passed through floats may have lost digits: cast where they are made",
        )
    return array


def _as_mask(array: NDArray[Any]) -> NDArray[np.bool_]:
    if array.dtype.kind not in "biuf":
        raise InputTypeError(
            "padding_mask must hold booleans or integers.", received=f"dtype {array.dtype}"
        )
    if array.dtype.kind == "f" and not (array == np.rint(array)).all():
        raise InputError(
            "padding_mask holds fractions.",
            received=f"{array[array != np.rint(array)].flat[0]}",
            expected="0 where a key is dropped, anything else where it is kept",
        )
    return np.ascontiguousarray(array != 0)


def _check_range(name: str, ids: NDArray[Any], limit: int, what: str) -> None:
    if ids.size == 0 or (int(ids.min()) >= 0 and int(ids.max()) < limit):
        return
    index = tuple(int(i[0]) for i in np.nonzero((ids < 0) | (ids >= limit)))
    raise InputError(
        f"{name} has an id out of range.",
        where=f"{name}[{', '.join(map(str, index))}]",
        received=int(ids[index]),
        expected=f"0 <= id < {limit} ({what})",
        fix=_RANGE_FIXES.get(what),
    )
