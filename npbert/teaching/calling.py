"""A learner's function is called with care: on copies, within a budget, and every way out is said.

What goes wrong before there are numbers to compare is a `Trouble`; its words go on from "Your
layer_norm".
"""

from __future__ import annotations

import inspect
import linecache
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np

STEPS: Final = 300_000
"""Bytecode steps that a function on texts may take; a word of ten letters needs some thousand."""


class Trouble(NamedTuple):
    """A call that gave nothing to compare."""

    key: str
    says: str
    fix: str


class _Endless(Exception):
    """The budget is spent."""


def call(
    function: Callable[..., Any], expected: str, arguments: tuple[Any, ...], *, limited: bool
) -> Any | Trouble:
    """What the function returns for copies of the arguments.

    Args:
        function: a learner's.
        expected: how it is called, ``"layer_norm(x, gamma, beta, epsilon)"``.
        arguments: by place; one that the function takes by name only is passed by its name.
        limited: stop it after `STEPS`.
    """
    names = expected.partition("(")[2].rstrip(")").split(", ")
    copies = tuple(map(_copy, arguments))
    given, named = _by_name(function, names, copies)
    try:
        inspect.signature(function).bind(*given, **named)
    except TypeError as error:
        return Trouble("signature", f"cannot be called: {error}", f"write it as {expected}")
    except ValueError:  # some functions in C do not tell
        pass
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(), _budget(limited):
            warnings.simplefilter("ignore")
            result = function(*given, **named)
    except NotImplementedError:
        return Trouble("not_written", "is not written yet", f"write {expected}")
    except _Endless:
        return Trouble(
            "endless",
            "does not come to an end",
            "see that each turn of the loop goes on in the word, or leaves",
        )
    except Exception as error:
        says = f"raised {type(error).__name__}: {_cut(str(error))}{_line_of(error)}"
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


def _copy(argument: Any) -> Any:
    return argument.copy() if hasattr(argument, "copy") else argument


def _equal(a: Any, b: Any) -> bool:
    if isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and a.shape == b.shape and bool(np.array_equal(a, b))
    return bool(a == b)


def _by_name(
    function: Callable[..., Any], names: list[str], values: tuple[Any, ...]
) -> tuple[list[Any], dict[str, Any]]:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return list(values), {}
    only = {p.name for p in parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    both = list(zip(names, values))
    return [v for n, v in both if n not in only], {n: v for n, v in both if n in only}


@contextmanager
def _budget(limited: bool) -> Iterator[None]:
    """Count steps, where a loop may be endless."""
    if not limited:
        yield
        return
    left = STEPS

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        left -= 1
        if left < 0:
            raise _Endless
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


def _line_of(error: Exception) -> str:
    """Where in the learner's own code it was raised."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first is ours
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    if not own:
        return ""
    line = own[-1].line or linecache.getline(own[-1].filename, own[-1].lineno or 0).strip()
    return f" (line {own[-1].lineno}: `{_cut(line)}`)" if line else ""


def _cut(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:156]} ..."
