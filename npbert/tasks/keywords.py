"""Keywords that nobody knows, refused with the nearest one that somebody does."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from npbert.config import unknown_name

P = ParamSpec("P")
R = TypeVar("R")


def known_keywords(*passed_on: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a method: where Python says "unexpected keyword", list the valid ones.

    Args:
        passed_on: names that the method hands to another with ``**options``.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        names = [*_keywords(method), *passed_on]
        where = method.__qualname__.removesuffix(".__init__")

        @functools.wraps(method)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in kwargs:
                if name not in names:
                    raise unknown_name("argument", name, names, where=f"{where}(...)")
            return method(*args, **kwargs)

        return checked

    return decorate


def _keywords(method: Callable[..., object]) -> Iterable[str]:
    parameters = inspect.signature(method).parameters.values()
    others = [each.name for each in parameters if each.kind != each.VAR_KEYWORD]
    return [name for name in others if name not in ("self", "cls")]
