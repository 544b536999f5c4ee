"""The same in float64: errors at the points of `golden.vector_math_64`, the worst ones among them.

A point has the float64 nearest to the exact value, and the rest in units of its last place.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tolerances import ULPS_64
from vector_math_sweep import FUNCTIONS, RESULT

from npbert.simd.precision import FLOAT64

pytestmark = pytest.mark.kernel
MEASURED = json.loads(RESULT.read_text(encoding="utf-8"))["float64"]
POINTS = load_file(RESULT.with_name("vector_math_64.safetensors"))

F64 = NDArray[np.float64]


def apply(name: str, x: F64) -> F64:
    wide = np.resize(x, (1, -(-x.size // 16) * 16))
    out = np.empty_like(wide)
    FUNCTIONS[name].kernel[FLOAT64](wide, out)
    return out[0, : x.size]


def errors(name: str) -> dict[float, float]:
    """Argument -> how far off its result is, in ULP."""
    x, nearest, rest = (POINTS[f"{name}.{part}"] for part in ("x", "nearest", "rest"))
    off = (apply(name, x) - nearest) / np.spacing(np.abs(nearest)) - rest
    return dict(zip(x.tolist(), np.abs(off).tolist()))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_point_is_further_off_than_was_measured(name: str) -> None:
    found = errors(name)
    assert len(found) > 1000
    assert max(found.values()) == pytest.approx(MEASURED[name]["max_ulp"], abs=1e-6)
    assert MEASURED[name]["max_ulp"] < ULPS_64[name.removesuffix("_nonpositive")]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_worst_arguments_have_the_committed_errors(name: str) -> None:
    found = errors(name)
    for row in MEASURED[name]["ranges"]:
        assert found[row["ulp_at"]] == pytest.approx(row["ulp"], abs=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_nan_of_any_payload_goes_through(name: str) -> None:
    high = np.array([0x7FF80000, 0xFFF80000, 0x7FF00000, 0xFFFFFFFF, 0x7FFABCDE], np.uint64)
    assert np.isnan(apply(name, (high << np.uint64(32) | np.uint64(1)).view(np.float64))).all()


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("exp_nonpositive", 0.0, 1.0),
        ("exp_nonpositive", -0.0, 1.0),
        ("exp_nonpositive", -np.inf, 0.0),
        ("exp_nonpositive", -745.1332191019411, 2.0**-1074),
        ("exp_nonpositive", -745.1332191019412, 0.0),
        ("tanh", 0.0, 0.0),
        ("tanh", -0.0, -0.0),
        ("tanh", np.inf, 1.0),
        ("tanh", -np.inf, -1.0),
        ("tanh", 2.0**-1074, 2.0**-1074),
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", -0.0, 0.5),
        ("sigmoid", np.inf, 1.0),
        ("sigmoid", -np.inf, 0.0),
        ("sigmoid", -745.1332191019411, 2.0**-1074),
        ("gelu_approximate", -0.0, -0.0),
        ("gelu_approximate", np.inf, np.inf),
        ("gelu_approximate", -np.inf, -0.0),
        ("gelu_approximate", -(2.0**-1073), -(2.0**-1074)),
        ("gelu_approximate", 1.7e308, 1.7e308),
        ("gelu", -0.0, -0.0),
        ("gelu", np.inf, np.inf),
        ("gelu", -np.inf, -0.0),
        ("gelu", -(2.0**-1073), -(2.0**-1074)),
        ("gelu", -1.7e308, -0.0),
    ],
)
def test_special_values(name: str, x: float, expected: float) -> None:
    got = apply(name, np.array([x]))
    np.testing.assert_array_equal(got.view(np.int64), np.array([expected]).view(np.int64))
