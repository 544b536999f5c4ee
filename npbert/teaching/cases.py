"""The calls that an exercise is judged by, and when two results are the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from npbert.ops.attention import Attention
from npbert.ops.feed_forward import FeedForward
from npbert.ops.types import Array
from npbert.teaching.calling import Trouble
from npbert.teaching.exercise import Exercise, Model, Place
from npbert.teaching.toy_run import toy_run

TOLERANCE: Final = 1e-5
"""Of the largest value: a right answer in float32 is some 1e-6 off, the two GELUs 5e-4."""


class Case(NamedTuple):
    """One call."""

    arguments: tuple[Any, ...]
    right: Any
    kept: Array | None = None
    """Which values count: of masked queries, none do. None is all."""
    place: Place | None = None
    model: Model | None = None
    """Where the arguments come from; None if they are made up."""
    real: bool = False
    """Whether the toy makes this call, with these numbers."""

    @property
    def given(self) -> dict[str, Array]:
        """The stages that the function is given."""
        assert self.place is not None
        assert self.model is not None
        stages = self.model.stages
        return {name: stages[name] for name in self.place.inputs if name in stages}


def cases(exercise: Exercise) -> Iterator[Case]:
    """First the toy's own, in the order in which it makes them."""
    model = toy_run(exercise.activation)
    for place in exercise.places(model.config):
        real = exercise.activation is None and place.stage in model.steps
        yield _of_place(exercise, model, place)._replace(real=real)
    for harder in exercise.harder:
        other = harder(model)
        yield _of_place(exercise, other, exercise.places(other.config)[0])
    for arguments in exercise.cases():
        yield Case(arguments, plain(exercise.right(*arguments)))


def _of_place(exercise: Exercise, model: Model, place: Place) -> Case:
    values = {**model.inputs, **model.stages}
    arguments = place.arguments(
        *(values[name] for name in place.inputs), *(model.weights[name] for name in place.weights)
    )
    right = plain(exercise.right(*arguments))
    kept = _queries(np.shape(right), model.inputs["padding_mask"]) if place.masks else None
    return Case(arguments, right, kept, place, model)


def _queries(shape: tuple[int, ...], mask: Array) -> Array:
    """Those that are kept, in (B, N, T, T) or (B, T, ...)."""
    B, T = mask.shape
    by_query = shape[2:] == (T, T)
    kept = mask[:, None, :, None] if by_query else mask.reshape(B, T, *(1 for _ in shape[2:]))
    return np.broadcast_to(kept != 0, shape)


def plain(result: Any) -> Any:
    """An array; of what npbert's ops return step by step, the last. Other results as they are."""
    if isinstance(result, Attention | FeedForward):
        result = result[-1]
    if isinstance(result, np.ndarray | np.generic | float):
        return np.asarray(result)
    return result


def checked(result: Any, right: Any) -> Any | Trouble:
    """What a learner's function returned, in the form of the right result, if it has one."""
    if not isinstance(right, np.ndarray):
        if isinstance(result, list | tuple | np.ndarray):
            return _listed(result)
        expected = type(right).__name__
        says = f"returns a {type(result).__name__}, where a {expected} is expected"
        return Trouble("no_list", says, f"return a {expected}")
    result = plain(result)
    try:
        array = np.asarray(result)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        what = f"a {type(result).__name__}" if array.dtype == object else f"{array.dtype} values"
        says = f"returns {what}, where an array of numbers is expected"
        return Trouble("no_array", says, "return one NumPy array")
    return array


def _listed(result: Any) -> Any:
    """Lists of Python's own numbers, however they were made."""
    if isinstance(result, np.ndarray | np.generic):
        return result.tolist()
    if isinstance(result, list | tuple):
        return [_listed(each) for each in result]
    return result


def distance(case: Case, a: Any, b: Any) -> float:
    """The largest difference between two results; infinite between other shapes, or NaN and not."""
    if not isinstance(case.right, np.ndarray):
        return 0.0 if _listed(a) == _listed(b) else np.inf
    if np.shape(a) != np.shape(b):
        return np.inf
    kept = case.kept if case.kept is not None and case.kept.shape == np.shape(a) else ...
    a, b = (np.asarray(x, np.float64)[kept] for x in (a, b))
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a - b))
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0.0))


def same(case: Case, a: Any, b: Any) -> bool:
    """Whether two results differ by no more than float32 would."""
    return distance(case, a, b) <= TOLERANCE * scale(b)


def scale(x: Any) -> float:
    """The largest absolute value of an array that is a number."""
    if not isinstance(x, np.ndarray):
        return 1.0
    return float(np.abs(x[np.isfinite(x)]).max(initial=0.0))
