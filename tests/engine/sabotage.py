"""Kernels with a mistake in them, compiled here and kept nowhere: run by ``test_self_check.py``.

    python sabotage.py MISTAKE PRECISION

Prints the stage at which the self-check refuses them, or that it passed.
"""

from __future__ import annotations

import sys
from typing import Any

from npbert.simd import cache

cache.attach = lambda *_: None  # before any kernel is made

from npbert import simd  # noqa: E402
from npbert.engine import forward, self_check  # noqa: E402
from npbert.errors import KernelError  # noqa: E402
from npbert.simd import rounding, vector, widened  # noqa: E402
from npbert.simd.precision import PRECISIONS  # noqa: E402

PRECISION = PRECISIONS[sys.argv[2]]
NAMES: Any = simd.of(PRECISION)  # what kernels see as `simd`


def nothing() -> None:
    """The kernels as they are."""


def unfused() -> None:
    """Products are rounded before they are added."""

    def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
        return builder.fadd(builder.fmul(a, b), c)

    assert "npbert.simd.tile" not in sys.modules  # it would have the other one already
    vector.fused_multiply_add = multiply_add


def tile() -> None:
    """The loop over tiles takes them for one row higher than they are."""
    NAMES.TILE_ROWS += 1


def epilogue() -> None:
    """Each GELU in the other's place."""
    NAMES.gelu, NAMES.gelu_approximate = NAMES.gelu_approximate, NAMES.gelu


def unrounded() -> None:
    """Results keep the bits that the dtype has not."""
    NAMES.rounded = rounding.rounded


def pairs() -> None:
    """Every other row of weights is read in its neighbour's place."""
    right = widened._of_pair
    widened._of_pair = lambda builder, values, k, odd: right(
        builder, values, k, odd if odd is None else not odd
    )


MISTAKES = {each.__name__: each for each in (nothing, unfused, tile, epilogue, unrounded, pairs)}


def main() -> None:
    MISTAKES[sys.argv[1]]()
    forward.prepare(forward.kernels(PRECISION))
    try:
        self_check.check(PRECISION, 1)
    except KernelError as error:
        print("refused at", error.where)
    else:
        print("passed")


if __name__ == "__main__":
    main()
