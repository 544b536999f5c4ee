"""What a fault is that is planted in `parity.faulty`, and where it is planted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

Arrays = Mapping[str, np.ndarray]
Wrong = Callable[[int], dict[str, Callable[..., Any]]]


class Fault(NamedTuple):
    """``wrong(layer)`` is for `faulty.Model`; ``weights(weights, layer)`` edits its tensors."""

    cause: str | None
    stage: str
    """``layer.{i}.query``, or a stage that is no layer's."""
    wrong: Callable[[int], dict[str, Callable[..., Any]]] = lambda i: {}
    weights: Callable[[Arrays, int], Arrays] = lambda weights, i: weights
    says: str = ""
    """A part of the sentence."""


def here(method: str, wrong: Callable[..., Any]) -> Callable[[int], dict[str, Callable[..., Any]]]:
    """``wrong(right, *args)`` in one layer only; the last argument is the layer."""

    def make(i: int) -> dict[str, Callable[..., Any]]:
        return {method: lambda model, right, *x: (wrong if x[-1] == i else _same)(right, *x)}

    return make


def everywhere(method: str, wrong: Callable[..., Any]) -> Callable[[int], dict[str, Any]]:
    """``wrong(model, *args)`` wherever the method is called."""
    return lambda i: {method: lambda model, right, *x: wrong(model, *x)}


def _same(right: Callable[..., Any], *x: Any) -> Any:
    return right(*x)


def bfloat16(x: np.ndarray) -> np.ndarray:
    return x.astype(ml_dtypes.bfloat16).astype(np.float32)


def float16(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float16).astype(np.float32)
