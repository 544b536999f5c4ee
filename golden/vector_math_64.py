"""Exact values of exp, tanh, sigmoid and both GELUs at float64 arguments from everywhere.

Run from the repository's root, in an environment with ``pip install -e . gmpy2``:

    python -m golden.vector_math_64

It writes ``golden/vector_math_64.safetensors``. The truth is MPFR's, whose functions round
correctly, computed in 200 bits. A value is kept as ``nearest``, the float64 next to it, and
``rest``, what is missing in units of its last place (``numpy.spacing``), so that an error can be
told to a fraction of a unit even where results are subnormal. Among the arguments are those of the
largest errors that ``vector_math.json`` has.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import gmpy2
import numpy as np
from gmpy2 import mpfr
from numpy.typing import NDArray
from safetensors.numpy import save_file

F64 = NDArray[np.float64]

HERE: Final = Path(__file__).parent
POINTS: Final = 1000  # drawn for each function; breakpoints and worst arguments come on top
BITS: Final = 200

LIVE: Final = {
    "exp_nonpositive": 750.0,
    "tanh": 20.0,
    "sigmoid": 750.0,
    "gelu_approximate": 22.0,
    "gelu": 39.0,
}
"""Each function, and the size of x from where on nothing happens any more."""

CHANGES: Final = (0.625, 20.0, 21.5625, 38.625, 746.0)
"""Sizes of x at which `npbert.simd.vector_math_64` turns to other formulas, or to constants."""


def _gelu_approximate(x: Any) -> Any:
    inner = gmpy2.sqrt(2 / gmpy2.const_pi()) * (x + mpfr("0.044715") * x**3)
    return x / (1 + gmpy2.exp(-2 * inner))


EXACT: Final[dict[str, Callable[[Any], Any]]] = {
    "exp_nonpositive": gmpy2.exp,
    "tanh": gmpy2.tanh,
    "sigmoid": lambda x: 1 / (1 + gmpy2.exp(-x)),
    "gelu_approximate": _gelu_approximate,
    "gelu": lambda x: x * gmpy2.erfc(-x / gmpy2.sqrt(mpfr(2))) / 2,
}


def exact(name: str, x: F64) -> tuple[F64, F64]:
    """The function's values: the nearest float64, and the rest in units of its last place."""
    nearest, rest = np.empty_like(x), np.empty_like(x)
    with gmpy2.context(gmpy2.get_context(), precision=BITS):
        for i, argument in enumerate(x.tolist()):
            value = EXACT[name](mpfr(argument))
            nearest[i] = float(value)
            rest[i] = float((value - mpfr(nearest[i])) / mpfr(np.spacing(abs(nearest[i]))))
    return nearest, rest


def arguments(name: str, count: int, seed: int) -> F64:
    """So many, drawn: half of them evenly where the function lives, seven sixteenths evenly over
    the exponents there, and the rest over all there are; and the neighbours of its breakpoints."""
    generator = np.random.default_rng(seed)
    live, part = LIVE[name], count // 16
    drawn = [
        generator.uniform(0, live, 8 * part),
        _by_bits(generator, 2.0**-10, live, 7 * part),
        _by_bits(generator, 0.0, np.finfo(np.float64).max, part),
    ]
    near = np.concatenate([_exponent_rounds(name), CHANGES]).view(np.int64)
    near = (near[:, None] + np.arange(-3, 4)).view(np.float64).ravel()
    sizes = np.concatenate([*drawn, generator.choice(near, min(near.size, 4 * part), False)])
    signs = generator.choice([-1.0, 1.0], sizes.size)
    return -sizes if name == "exp_nonpositive" else sizes * signs


def _by_bits(generator: np.random.Generator, low: float, high: float, count: int) -> F64:
    """Any number as likely as the next one, which is to say every exponent as likely."""
    first, last = np.array([low, high]).view(np.int64)
    return generator.integers(first, last, count, endpoint=True).view(np.float64)


def _exponent_rounds(name: str) -> F64:
    """Where the exponent of e is halfway between two multiples of ln(2), and is rounded."""
    power = (np.arange(1100) + 0.5) * np.log(2)
    if name == "gelu":
        return np.sqrt(2 * power)
    if name == "gelu_approximate":  # the cubic 2 sqrt(2 / pi) (x + 0.044715 x^3) = power
        third = 1 / (3 * 0.044715)
        right = power / (2 * np.sqrt(2 / np.pi) * 0.044715)
        return 2 * np.sqrt(third) * np.sinh(np.arcsinh(right / (2 * third**1.5)) / 3)
    return power / 2 if name == "tanh" else power


def _table() -> dict[str, NDArray[Any]]:
    worst = json.loads((HERE / "vector_math.json").read_text(encoding="utf-8"))["float64"]
    table: dict[str, NDArray[Any]] = {}
    for name in EXACT:
        found = [row["ulp_at"] for row in worst[name]["ranges"]]
        x = np.unique(np.concatenate([arguments(name, POINTS, seed=1), found]))
        nearest, rest = exact(name, x)
        table |= {f"{name}.x": x, f"{name}.nearest": nearest, f"{name}.rest": np.float32(rest)}
    return table


if __name__ == "__main__":
    save_file(_table(), HERE / "vector_math_64.safetensors")
