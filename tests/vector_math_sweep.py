"""Measure `npbert.simd.vector_math` over every float32 there is, against float64.

Run from the repository's root; it takes some minutes:

    python tests/vector_math_sweep.py            # measure, and compare with the committed file
    python tests/vector_math_sweep.py --write    # measure, and write golden/vector_math.json

The file holds the largest errors in ULP (of the float32 next to the exact value) and as numbers,
with the arguments they occur at. The tests measure those arguments again, and a stratified million.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert import simd
from npbert.ops.gelu import gelu_approximate_kernel, gelu_kernel
from npbert.ops.pooler import tanh_kernel
from npbert.ops.sigmoid import sigmoid, sigmoid_kernel
from npbert.simd.kernel import Kernel, kernel

RESULT = Path(__file__).parent.parent / "golden" / "vector_math.json"
RANGES = (-np.inf, -8.0, -6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0, np.inf)
_CHUNK = 1 << 16  # small enough that all temporaries stay in the cache

F32, F64 = NDArray[np.float32], NDArray[np.float64]


@kernel("void(real[:, ::1], real[:, ::1])")
def exp_nonpositive_kernel(x, out):  # type: ignore[no-untyped-def]
    """Elementwise, as softmax calls it."""
    for row in range(x.shape[0]):
        for column in range(0, x.shape[1], 16):
            simd.store(simd.exp_nonpositive(simd.load(x, row, column)), out, row, column)


def _gelu_approximate(x: F64) -> F64:
    """x / (1 + e^(-2u)), which is the definition without its cancellation."""
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    return x / (1 + np.exp(-2 * inner))


def _gelu(x: F64) -> F64:
    from scipy.special import ndtr

    return x * ndtr(x)


class Function(NamedTuple):
    """One function, its kernel and the float64 truth."""

    kernel: Kernel
    exact: Callable[[F64], F64]
    highest: float = np.inf


FUNCTIONS = {
    "exp_nonpositive": Function(exp_nonpositive_kernel, np.exp, 0.0),
    "tanh": Function(tanh_kernel, np.tanh),
    "sigmoid": Function(sigmoid_kernel, sigmoid),
    "gelu_approximate": Function(gelu_approximate_kernel, _gelu_approximate),
    "gelu": Function(gelu_kernel, _gelu),
}


def errors(function: Function, x: F32) -> tuple[F64, F64]:
    """The error at every ``x`` (a multiple of 16 finite values): absolute, and in ULP."""
    got = np.empty((1, x.size), np.float32)
    function.kernel(np.ascontiguousarray(x).reshape(1, -1), got)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        exact = function.exact(x.astype(np.float64))
        exact[np.isneginf(x) | (np.isnan(exact) & (x < 0))] = 0.0  # x^3 overflows at -1e300
        unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
        absolute = np.abs(got[0] - exact)
    return absolute, absolute / unit


def sweep(function: Function) -> dict[str, Any]:
    """The worst arguments in each range of `RANGES`, over all finite float32 up to ``highest``."""
    worst: dict[int, dict[str, float]] = {}
    for x in _all_floats():
        x = np.where(np.isfinite(x) & (x <= function.highest), x, np.float32(0))
        absolute, ulp = errors(function, x)
        if np.isnan(ulp).any():
            raise SystemExit(f"NaN for {x[np.isnan(ulp)][0]!r}")
        places = np.searchsorted(RANGES, x, side="right") - 1
        for place in np.unique(places):
            _keep_worst(worst.setdefault(int(place), {}), x, absolute, ulp, places == place)
    ordered = [worst[place] for place in sorted(worst)]
    largest = max(ordered, key=lambda row: row["ulp"])
    return {"max_ulp": largest["ulp"], "max_ulp_at": largest["ulp_at"], "ranges": ordered}


def _keep_worst(row: dict[str, float], x: F32, absolute: F64, ulp: F64, here: Any) -> None:
    for name, error in (("ulp", ulp), ("absolute", absolute)):
        i = int(np.argmax(np.where(here, error, -1.0)))
        if error[i] > row.get(name, -1.0):
            row[name], row[f"{name}_at"] = float(error[i]), float(x[i])


def _all_floats() -> Iterator[F32]:
    for start in range(0, 1 << 32, _CHUNK):
        if sys.stderr.isatty():
            print(f"\r{start / 2**32:6.1%}", end="", file=sys.stderr)
        yield np.arange(start, start + _CHUNK, dtype=np.uint64).astype(np.uint32).view(np.float32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    measured = {}
    write = parser.parse_args().write
    for name, function in FUNCTIONS.items():
        measured[name] = sweep(function)
        print(f"{name:20} {measured[name]['max_ulp']:.3f} ULP at {measured[name]['max_ulp_at']!r}")
    committed = json.loads(RESULT.read_text(encoding="utf-8"))
    whole = committed | measured  # float64 is measured by `vector_math_sweep_64`
    if write:
        RESULT.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        return 0
    same = whole == committed
    print("as committed" if same else "NOT as committed; see --write")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
