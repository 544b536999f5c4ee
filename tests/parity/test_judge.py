"""One stage under its limits: what differs, who is wrong, and what rounding hides."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from npbert.parity.difference import Spread
from npbert.parity.judge import Evidence, judged
from npbert.parity.noise import Noise

STAGE = "layer.0.query"
NOISE = Noise({STAGE: Spread(1e-7, 4e-7), "sequence_output": Spread(2e-7, 5e-7)},
              {STAGE: 1.0, "sequence_output": 0.5}, ())  # fmt: skip
MASK = np.array([[1, 1, 1, 0], [1, 0, 0, 0]])  # B = 2, T = 4
SMALL, LARGE = Spread(1e-7, 3e-7), Spread(2e-5, 3e-5)


def arrays(apart=0.0, dtype=np.float32):
    a = np.random.default_rng(0).normal(size=(2, 4, 3, 5))
    return a.astype(dtype), (a + apart).astype(dtype)


def test_within_the_noise():
    found = judged(STAGE, *arrays(1e-7), Evidence(MASK, NOISE))
    assert found.report.agrees
    assert (found.report.noise, found.report.tolerance) == (1e-7, 8 * 4e-7)
    assert found.report.bulk == pytest.approx(5e-7)
    assert (found.report.shapes, found.report.dtypes) == (((2, 4, 3, 5),) * 2, ("float32",) * 2)
    assert (found.report.outside, found.wrong, found.off) == (0, None, None)
    assert 0 < found.scale < 1


def test_a_small_difference_of_many_values():
    """Below the largest noise, which few values have."""
    found = judged(STAGE, *arrays(1.5e-6), Evidence(MASK, NOISE))
    assert found.report.difference.max_abs < found.report.tolerance
    assert (found.report.agrees, found.report.outside) == (False, 0)
    assert found.scale == found.report.difference.p99 / found.report.bulk


def test_a_large_difference_of_one_value():
    a, b = (np.concatenate([x] * 40, axis=3) for x in arrays())
    b[0, 1, 2, 3] += 1e-5
    found = judged(STAGE, a, b, Evidence(MASK, NOISE))
    assert (found.report.agrees, found.report.difference.index) == (False, (0, 1, 2, 3))
    assert found.report.outside == 1 / (4 * 3 * 200)
    assert found.scale == pytest.approx(1e-5 / 3.2e-6, rel=0.03)


def test_padding_is_apart():
    a, b = arrays()
    b[1, 2] += 1
    found = judged(STAGE, a, b, Evidence(MASK, NOISE)).report
    assert (found.agrees, found.difference.max_abs) == (True, 0)
    assert (found.padded.max_abs, found.padded.index[:2]) == (pytest.approx(1), (1, 2))
    assert judged(STAGE, a, b, Evidence()).report.padded is None


def test_other_shapes():
    a, b = arrays()
    found = judged(STAGE, a, b[:, 1:], Evidence(MASK, NOISE))
    assert (found.report.difference, found.report.agrees, found.scale) == (None, False, math.inf)


def test_the_users_tolerance_is_the_only_one():
    off = ({STAGE: SMALL}, {STAGE: LARGE})
    known = Evidence(MASK, NOISE, local=off, local_noise=({STAGE: SMALL},) * 2, given={STAGE: 0.1})
    found = judged(STAGE, *arrays(0.05), known)
    assert (found.report.agrees, found.report.tolerance, found.report.bulk) == (True, 0.1, None)
    assert found.off == "b"


@pytest.mark.parametrize(
    ("errors", "side"),
    [
        ((SMALL, SMALL), None),
        ((SMALL, LARGE), "b"),
        ((LARGE, SMALL), "a"),
        ((LARGE, LARGE), "both"),
        ((None, LARGE), "b"),
        ((None, None), None),
    ],
)
def test_who_is_wrong(errors, side):
    by_stage = [{STAGE: error} for error in errors]
    known = Evidence(MASK, NOISE, {STAGE: errors}, by_stage, ({STAGE: SMALL},) * 2)
    found = judged(STAGE, *arrays(), known)
    assert found.wrong == found.off == side
    largest = tuple(None if error is None else error.largest for error in errors)
    assert found.report.errors == found.report.local == largest
    # An op of one side that is off is a difference even below the noise; of both, it is none.
    assert found.report.agrees == (side in (None, "both"))


def test_each_side_has_the_noise_of_its_dtype():
    a, b = arrays()[0], arrays(1e-3)[1].astype(np.float16)
    known = Evidence(MASK, NOISE, {STAGE: (SMALL, Spread(5e-4, 1e-3))})
    found = judged(STAGE, a, b, known)
    assert (found.report.agrees, found.wrong) == (True, None)
    assert found.report.bulk == pytest.approx(2**13 * 5e-7)


def test_the_noise_of_a_texts_vector_is_in_proportion():
    a = np.full((2, 7), 0.25, np.float32)
    found = judged("text.vector", a, a, Evidence(MASK, NOISE))
    assert found.report.noise == pytest.approx(1e-7)
    assert found.report.padded is None


def test_without_noise_the_floor():
    a, b = arrays(1e-7)
    found = judged(STAGE, a, b, Evidence())
    assert (found.report.noise, found.report.bulk, found.report.agrees) == (None, None, True)
    assert found.report.tolerance == pytest.approx(32 * 2**-24 * np.abs(b).max())


def test_what_rounding_hides_is_told():
    assert judged(STAGE, *arrays(), Evidence(MASK, NOISE)).blind == 0
    half = judged(STAGE, *arrays(dtype=ml_dtypes.bfloat16), Evidence(MASK, NOISE))
    assert half.blind == pytest.approx(2**16 * 5e-7, rel=0.3)
    given = Evidence(MASK, NOISE, given={STAGE: 1.0})
    assert judged(STAGE, *arrays(), given).blind == 0
