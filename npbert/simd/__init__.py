"""How the machine does it: everything below the level where one knows what BERT is.

=================== =============================================================================
`kernel`            the one decorator that compiles, and the one file that decides Numba's options
`cache`             compiled kernels on disk, safely; `entries` says where each one lies, and
                    `sources` tells those of one version from those of another
`isa`               which instruction set, and the tile shape that suits it
`vector`            `f32x16`: sixteen float32 lanes as a value in Numba code
`vector_math`       exp, tanh, sigmoid and both GELUs, by polynomials of our own
`tile`, `gemm`      the matrix product: register tile, packed weights, the loop over tiles
`buffers`           aligned memory
`transposition`     rows become columns, sixteen by sixteen
`atomics`, `barrier` how threads inside kernels wait for each other
=================== =============================================================================

A kernel writes ``simd.load(x, row, column)`` and so on. The names come from `vector` and
`vector_math`, which import Numba, and so are fetched the first time one is asked for: ``import
npbert`` stays light, and the definitions in `npbert.ops` run where Numba is not installed.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "atomics": "atomic_add atomic_load let_others_run",
    "transposition": "transpose",
    "vector": "add_lanes fill first_lanes fma lane load max_lanes maximum sqrt store where_less",
    "vector_math": "exp_nonpositive gelu gelu_approximate sigmoid tanh",
    "tile": "PACES PACE_STEPS TILE_ROWS TILE_VECTORS tile_1 tile_2 tile_3",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"npbert.simd.{_MODULE_OF[name]}"), name)
    # Numba asks for the name in the middle of typing a kernel: tell it what the import brought.
    from numba.core.registry import cpu_target

    cpu_target.typing_context.refresh()
    globals()[name] = value
    return value
