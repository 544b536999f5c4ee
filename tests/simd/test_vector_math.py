"""exp, tanh, sigmoid, GELUs: errors as measured, at the worst arguments and at a million others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from vector_math_sweep import FUNCTIONS, RESULT, errors

pytestmark = pytest.mark.kernel
MEASURED = json.loads(RESULT.read_text(encoding="utf-8"))


def apply(name: str, x: np.ndarray) -> np.ndarray:
    wide = np.resize(np.asarray(x, np.float32), (1, -(-np.size(x) // 16) * 16))
    out = np.empty_like(wide)
    FUNCTIONS[name].kernel(wide, out)
    return out[0, : np.size(x)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_worst_arguments_have_the_committed_errors(name: str) -> None:
    for row in MEASURED[name]["ranges"]:
        for kind, index in (("absolute", 0), ("ulp", 1)):
            x = np.full(16, row[f"{kind}_at"], np.float32)
            assert errors(FUNCTIONS[name], x)[index][0] == pytest.approx(row[kind], rel=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_stratified_million_stays_below_the_committed_error(name: str) -> None:
    # One float of every 4,096 neighbours, at a place that differs by run of the test's seed.
    step = 1 << 12
    bits = np.arange(0, 1 << 32, step, dtype=np.uint64)
    bits += np.random.default_rng(20).integers(0, step, bits.size, dtype=np.uint64)
    x = bits.astype(np.uint32).view(np.float32)
    x = np.where(np.isfinite(x) & (x <= FUNCTIONS[name].highest), x, np.float32(0))
    _, ulp = errors(FUNCTIONS[name], x)
    assert ulp.max() <= MEASURED[name]["max_ulp"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_nan_of_any_payload_goes_through(name: str) -> None:
    payloads = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF, 0x7FABCDEF], np.uint32)
    assert np.isnan(apply(name, payloads.view(np.float32))).all()


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("exp_nonpositive", 0.0, 1.0),
        ("exp_nonpositive", -0.0, 1.0),
        ("exp_nonpositive", -np.inf, 0.0),
        ("exp_nonpositive", -103.97208, 2.0**-149),
        ("exp_nonpositive", -103.9721, 0.0),
        ("tanh", 0.0, 0.0),
        ("tanh", -0.0, -0.0),
        ("tanh", np.inf, 1.0),
        ("tanh", -np.inf, -1.0),
        ("tanh", 2.0**-149, 2.0**-149),
        ("sigmoid", 0.0, 0.5),
        ("sigmoid", -0.0, 0.5),
        ("sigmoid", np.inf, 1.0),
        ("sigmoid", -np.inf, 0.0),
        ("sigmoid", -103.97208, 2.0**-149),
        ("gelu_approximate", -0.0, -0.0),
        ("gelu_approximate", np.inf, np.inf),
        # Both formulas give NaN here (-inf * 0); the limit is what a model wants.
        ("gelu_approximate", -np.inf, -0.0),
        ("gelu", -np.inf, -0.0),
        ("gelu", np.inf, np.inf),
        ("gelu", -3.4e38, -0.0),
        ("gelu_approximate", 3.4e38, 3.4e38),
    ],
)
def test_special_values(name: str, x: float, expected: float) -> None:
    got = apply(name, np.array([x], np.float32))
    np.testing.assert_array_equal(got.view(np.uint32), np.array([expected], np.float32).view("u4"))


def test_the_two_gelus_part_where_the_literature_says() -> None:
    # Against a tolerance that would hide erf behind tanh: 4.73e-4 at |x| = 2.70.
    x = np.linspace(-6, 6, 24001, dtype=np.float32)
    gap = np.abs(apply("gelu", x) - apply("gelu_approximate", x))
    assert gap.max() == pytest.approx(4.73e-4, rel=2e-3)
    assert abs(x[gap.argmax()]) == pytest.approx(2.70, abs=0.03)
