"""Arrays by the names that others gave them: which of them are stages, inputs or weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from npbert import stages
from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.parity.sources.base import NAMES
from npbert.parity.types import Array, Inputs, Stages

OF_TEXTS: Final = ("text.pooling", "text.vector")
_INPUTS: Final = {
    **{name: name for name in NAMES},
    "input_ids": "token_ids",
    "token_type_ids": "segment_ids",
    "attention_mask": "padding_mask",
}
"""An input's name, also those of Hugging Face -> npbert's."""


class Named(NamedTuple):
    """Arrays, told apart by their names.

    Args:
        stages: under npbert's names.
        inputs: the three arrays; None unless all are there.
        weights: Keras Hub's variable paths -> tensors.
        others: whatever else there is, under its own name.
    """

    stages: dict[str, Array]
    inputs: dict[str, Array] | None
    weights: dict[str, Array]
    others: dict[str, Array]


def is_stage(name: str) -> bool:
    """Whether npbert calls a stage so."""
    return name in OF_TEXTS or stages.is_stage(name)


def sort_out(arrays: Mapping[str, Any], where: object) -> Named:
    """Who is who.

    Args:
        arrays: name -> what NumPy can read. ``inputs.`` and ``weights.`` may stand before a name.
        where: what they are from, for messages.

    Raises:
        ConfigError: two names are of one stage.
        InputTypeError: a value is no array of numbers.
    """
    found = Named({}, {}, {}, {})
    inputs: dict[str, Array] = {}
    for name, value in arrays.items():
        array = as_array(value, f"{where}: {name}")
        of_input = _INPUTS.get(name.removeprefix("inputs."))
        if of_input:
            _put(inputs, of_input, array, name, where)
        elif name.startswith("weights."):
            found.weights[name.removeprefix("weights.")] = array
        elif stage := _stage(name):
            _put(found.stages, stage, array, name, where)
        else:
            found.others[name] = array
    return found._replace(inputs=inputs if len(inputs) == len(NAMES) else None)


def as_array(value: Any, where: str) -> Array:
    """An array of numbers.

    Raises:
        InputTypeError: it is something else.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputTypeError("this is no array.", where=where, received=error) from error
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:
        import ml_dtypes

        if array.dtype == np.dtype("V2"):  # how NumPy's files keep bfloat16
            return array.view(ml_dtypes.bfloat16)
        return array
    if array.dtype.kind not in "fiub":
        raise InputTypeError(
            "this is no array of numbers.",
            where=where,
            received=f"{type(value).__name__} of dtype {array.dtype}",
        )
    return array


def check_batch(stages: Stages, inputs: Inputs, where: str) -> None:
    """Refuse stages that are not of a batch of this size.

    Raises:
        InputError: a stage's first axis is not B.
    """
    B, T = np.shape(inputs["token_ids"])
    for name, array in stages.items():
        if not name.startswith("text.") and array.shape[:1] != (B,):
            raise InputError(
                "the stage is of another batch than the inputs.",
                where=f"{where}: {name}",
                received=f"shape {array.shape}",
                expected=f"{B} rows, of {T} tokens",
                fix="give the inputs that it was computed from: token_ids, segment_ids and"
                " padding_mask beside the stages",
            )


def _stage(name: str) -> str | None:
    return name if name in OF_TEXTS else stages.canonical(name)


def _put(into: dict[str, Array], key: str, array: Array, name: str, where: object) -> None:
    if key in into:
        raise ConfigError(
            f"two arrays are called {key}.",
            where=f"{where}: {name}",
            fix="leave one of them out",
        )
    into[key] = array
