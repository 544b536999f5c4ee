"""Measure `npbert.simd.vector_math_64` at millions of float64 arguments, against MPFR.

Run from the repository's root, in an environment with ``pip install -e . gmpy2``; it takes a
quarter of an hour:

    export PYTHONPATH=.
    python tests/vector_math_sweep_64.py            # measure, and compare with the committed file
    python tests/vector_math_sweep_64.py --write    # measure, and write golden/vector_math.json

The arguments are drawn from all exponents and from about every breakpoint (see
`golden.vector_math_64`, which is to be run after ``--write``); the worst ones of the committed file
are measured again, so that what was found once stays.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np
from vector_math_sweep import FUNCTIONS, RANGES, RESULT

from golden.vector_math_64 import F64, arguments, exact
from npbert.simd.precision import FLOAT64

ARGUMENTS = 8_000_000  # for each function
_CHUNK = 1 << 16


def errors(name: str, x: F64) -> F64:
    """The error at every ``x`` in ULP: of the float64 next to the exact value."""
    wide = np.resize(x, (1, -(-x.size // 16) * 16))
    got = np.empty_like(wide)
    FUNCTIONS[name].kernel[FLOAT64](wide, got)
    nearest, rest = exact(name, x)
    return np.abs((got[0, : x.size] - nearest) / np.spacing(np.abs(nearest)) - rest)


def sweep(name: str, known: list[float]) -> dict[str, Any]:
    """The worst argument in each range of `RANGES`, ``known`` ones among them."""
    worst: dict[int, dict[str, float]] = {}
    every = np.concatenate([arguments(name, ARGUMENTS, seed=0), known])
    for start in range(0, every.size, _CHUNK):
        x = every[start : start + _CHUNK]
        ulp = errors(name, x)
        if np.isnan(ulp).any():
            raise SystemExit(f"NaN for {x[np.isnan(ulp)][0]!r}")
        places = np.searchsorted(RANGES, x, side="right") - 1
        for place in np.unique(places).tolist():
            i = int(np.argmax(np.where(places == place, ulp, -1.0)))
            if ulp[i] > worst.get(place, {"ulp": -1.0})["ulp"]:
                worst[place] = {"ulp": float(ulp[i]), "ulp_at": float(x[i])}
    ordered = [worst[place] for place in sorted(worst)]
    largest = max(ordered, key=lambda row: row["ulp"])
    return {"max_ulp": largest["ulp"], "max_ulp_at": largest["ulp_at"], "ranges": ordered}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    write = parser.parse_args().write
    committed = json.loads(RESULT.read_text(encoding="utf-8"))
    measured = {}
    for name in FUNCTIONS:
        known = [row["ulp_at"] for row in committed["float64"][name]["ranges"]]
        measured[name] = sweep(name, known)
        print(f"{name:20} {measured[name]['max_ulp']:.3f} ULP at {measured[name]['max_ulp_at']!r}")
    if write:
        whole = committed | {"float64": measured}
        RESULT.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        return 0
    same = measured == committed["float64"]
    print("as committed" if same else "NOT as committed; see --write")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
