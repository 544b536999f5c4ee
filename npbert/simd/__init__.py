"""How the machine does it: everything below the level where one knows what BERT is.

=================== =============================================================================
`kernel`            the one decorator that compiles, and the one file that decides Numba's options
`cache`             compiled kernels on disk, safely; `entries` says where each one lies, and
                    `sources` tells those of one version from those of another
`isa`               which instruction set, and the tile shape that suits it
`vector`            `f32x16`, `f64x16`: sixteen float32 or float64 lanes as a value in Numba code
`vector_memory`     loads and stores of them; 16-bit floats are loaded as float32
`rounding`          float32 values rounded to those of 16-bit floats
`vector_math`       exp, tanh, sigmoid and both GELUs, by polynomials of our own; float64 has its
                    own in `vector_math_64`
`precision`         in which dtypes kernels compute, and in which weights are stored
`panels`            how weights are packed
`tile`, `gemm`      the matrix product: register tile, and the loop over tiles
`widened`, `widening` the same for weights of 16 bits
`buffers`           aligned memory
`transposition`     rows become columns, sixteen by sixteen
`atomics`, `barrier` how threads inside kernels wait for each other
=================== =============================================================================

A kernel writes ``simd.load(x, row, column)`` and so on. The names come from modules that import
Numba, and so are fetched the first time one is asked for: ``import npbert`` stays light, and the
definitions in `npbert.ops` run where Numba is not installed. What a name means depends on the
precision that the kernel is compiled for: ``simd.fill(0.0)`` is sixteen zeros of float32, or of
float64. Without more said, it is float32.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from npbert.simd.precision import FLOAT32, Precision

_PLACES = {
    "atomics": "atomic_add atomic_load let_others_run",
    "transposition": "transpose",
    "vector": "add_lanes fill first_lanes fma lane max_lanes maximum sqrt where_less",
    "vector_memory": "load store",
    "vector_math": "exp_nonpositive gelu gelu_approximate sigmoid tanh",
    "rounding": "rounded",
    "tile": "PACES PACE_STEPS TILE_ROWS TILE_VECTORS multiply",
    "widening": "multiply_widened",
}
_FACTS: dict[str, Callable[[Precision], int]] = {
    "REAL_BYTES": lambda precision: precision.real_dtype.itemsize,
    "STORED_BYTES": lambda precision: precision.stored_dtype.itemsize,
    "ROWS_TOGETHER": lambda precision: precision.rows_together,
    "WIDENS": lambda precision: precision.widens,
    "FEW_TILES": lambda precision: precision.few_tiles,
    "ROUNDS": lambda precision: precision.rounded is not None,
}
_PLACE_OF = {name: (place, name) for place, names in _PLACES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    return _find(name, FLOAT32, globals())


@functools.cache
def of(precision: Precision) -> ModuleType:
    """This module as a kernel of ``precision`` sees it: the same names, for other types."""
    if precision == FLOAT32:
        return sys.modules[__name__]
    seen = ModuleType(f"{__name__}.{precision.name}")
    vars(seen)["__getattr__"] = lambda name: _find(name, precision, vars(seen))
    return seen


def _find(name: str, precision: Precision, names: dict[str, Any]) -> Any:
    if name in _FACTS:
        return names.setdefault(name, _FACTS[name](precision))
    module, attribute = _place(name, precision)
    value = getattr(importlib.import_module(f"npbert.simd.{module}"), attribute)
    # Numba asks for the name in the middle of typing a kernel: tell it what the import brought.
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    names[name] = value
    return value


def _place(name: str, precision: Precision) -> tuple[str, str]:
    """The module of a name, and what it is called there."""
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACE_OF[name]
    if precision.real == "float64" and module == "vector_math":
        return "vector_math_64", name
    if precision.real == "float64" and name in ("fill", "TILE_ROWS", "TILE_VECTORS", "multiply"):
        return module, f"{name}_64"
    if name == "rounded" and precision.rounded:
        return module, f"rounded_{precision.rounded}"
    if precision.widens and name == "PACES":
        return "widening", name
    if precision.widens and name in ("multiply", "multiply_widened"):
        return "widening", f"{name}_{precision.stored}"
    return module, attribute
