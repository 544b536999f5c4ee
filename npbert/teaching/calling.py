"""A learner's function is called with care: on copies, and every way out is said.

What goes wrong before there are numbers to compare is a `Trouble`; its words go on from "Your
layer_norm". A function on texts, whose loops may have no end, has a budget of steps; one on arrays
has none.
"""

from __future__ import annotations

import inspect
import linecache
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from npbert.teaching.exercise import Exercise, Function

STEPS: Final = 300_000
"""Instructions and lines of the learner's own code; a word of ten letters needs some thousand."""


class Trouble(NamedTuple):
    """A call that gave nothing to compare."""

    key: str
    says: str
    fix: str


class _Endless(BaseException):
    """The budget is spent; no `except Exception` of the learner's holds it up."""


def call(function: Function, exercise: Exercise, arguments: tuple[Any, ...]) -> Any | Trouble:
    """What the function returns for copies of the arguments.

    Args:
        function: a learner's.
        exercise: what it is to be; if that is about texts, it is stopped after `STEPS`.
        arguments: by place; one that the function takes by name only is passed by its name.
    """
    names, copies = exercise.parameters, tuple(map(copied, arguments))
    given, named = _by_name(function, names, copies)
    try:
        inspect.signature(function).bind(*given, **named)
    except TypeError as error:
        return Trouble("signature", f"cannot be called: {error}", f"write it as {exercise.call}")
    except ValueError:  # some functions in C do not tell
        pass
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with _budget(function) if exercise.texts else nullcontext():
                result = function(*given, **named)
    except NotImplementedError:
        return Trouble("not_written", "is not written yet", f"write {exercise.call}")
    except _Endless:
        return Trouble(
            "endless",
            "does not come to an end",
            "see that each turn of the loop goes on in the word, or leaves",
        )
    except Exception as error:
        says = f"raised {type(error).__name__}: {_cut(str(error))}"
        says += _line_of(error, _home(function))
        return Trouble("raised", says, "mend that line; print the shapes that it is given")
    for name, copy, argument in zip(names, copies, arguments):
        if not _equal(copy, argument):
            return Trouble(
                "in_place",
                f"changes its argument {name}, which others still need",
                f"make a new value: no += or [...] = on {name}",
            )
    if result is None:
        return Trouble("no_return", "returns None", "end it with `return` and the result")
    return result


def copied(argument: Any) -> Any:
    """An array, a list or a set of its own; what cannot be changed as it is."""
    return argument.copy() if hasattr(argument, "copy") else argument


def _equal(a: Any, b: Any) -> bool:
    if isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and np.array_equal(a, b, equal_nan=True)
    return bool(a == b)


def _by_name(
    function: Function, names: Sequence[str], values: tuple[Any, ...]
) -> tuple[list[Any], dict[str, Any]]:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return list(values), {}
    only = {p.name for p in parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    both = list(zip(names, values))
    return [v for n, v in both if n not in only], {n: v for n, v in both if n in only}


@contextmanager
def _budget(function: Function) -> Iterator[None]:
    """Count the steps of the learner's code, but not what an import or a compiler does for it."""
    home, left = _home(function), STEPS

    def enter(frame: Any, event: str, argument: Any) -> Any:
        if frame.f_globals is not home:
            return None
        frame.f_trace_opcodes = True  # a loop on one line never comes to another
        return count

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _Endless
        return count

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)


def _home(function: Any) -> dict[str, Any] | None:
    """The globals of the file, or of all cells of the notebook, that a function is written in."""
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)  # also what numba compiles
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    return getattr(function, "__globals__", None)


def _line_of(error: Exception, home: dict[str, Any] | None) -> str:
    """Where in the learner's own code it was raised."""
    own = [at for at in traceback.walk_tb(error.__traceback__) if at[0].f_globals is home]
    if not own:
        return ""
    frame, number = own[-1]
    line = linecache.getline(frame.f_code.co_filename, number).strip()
    return f" (line {number}: `{_cut(line)}`)" if line else ""


def _cut(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:156]} ..."
