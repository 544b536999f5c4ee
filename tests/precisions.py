"""Tests in every precision: what they are parametrised by, and how many examples each is worth."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from npbert.simd.precision import (
    BFLOAT16_STORED,
    FLOAT16,
    FLOAT16_STORED,
    FLOAT32,
    PRECISIONS,
    Precision,
)

ALL = tuple(PRECISIONS.values())
_ALIKE = (FLOAT16, FLOAT16_STORED, BFLOAT16_STORED)
"""Where arrays are bounds-checked, these show nothing that the others do not, and to compile their
kernels takes longer than all their tests."""


def marks(precision: Precision) -> Any:
    """Those of a test in this precision."""
    return pytest.mark.slow if precision in _ALIKE else ()


def parametrized(*precisions: Precision) -> Any:
    """A test's ``precision`` is each of these."""
    each = [pytest.param(one, marks=marks(one), id=one.name) for one in precisions]
    return pytest.mark.parametrize("precision", each)


every = parametrized(*ALL)


def given_in_every(**strategies: Any) -> Callable[..., Any]:
    """`hypothesis.given` for a test of kernels in every precision.

    All have one source: past float32, a third of the examples will do.
    """

    def decorate(test: Callable[..., Any]) -> Any:
        def run(**fixed: Any) -> None:
            def once(**drawn: Any) -> None:
                test(**fixed, **drawn)

            precision = fixed["precision"]
            # Hypothesis keeps the examples that failed by this name.
            once.__name__ = f"{test.__name__}_{precision.name}"
            examples = settings.default.max_examples  # type: ignore[union-attr]
            examples //= 1 if precision == FLOAT32 else 3
            settings(max_examples=examples)(given(**strategies)(once))()

        signature = inspect.signature(test)
        rest = [each for name, each in signature.parameters.items() if name not in strategies]
        run.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
        return every(pytest.mark.kernel(run))

    return decorate


def rounded(x: NDArray[Any], precision: Precision) -> NDArray[Any]:
    """What an op returns where ``x`` is what it computed."""
    if not precision.rounded:
        return x
    with np.errstate(over="ignore"):
        return precision.weights(x)
