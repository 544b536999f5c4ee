"""The table of tolerances: complete, in order, and scaled from float32 to other dtypes."""

from __future__ import annotations

import math

import goldens
import ml_dtypes
import numpy as np
import pytest

from npbert.errors import ConfigError
from npbert.parity.budget import RULES, Tolerance, overridden, place, rule, tolerance
from npbert.parity.difference import Spread

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
STAGES = goldens.stages(goldens.config("deep"))
NOISE = Spread(1e-7, 3e-7)


def test_every_stage_has_a_rule_and_every_rule_a_reason():
    others = [*STAGES, "text.pooling", "text.vector"]
    assert {rule(stage) for stage in others} <= set(RULES.values())
    assert rule("something") not in RULES.values()
    assert all(len(each.reason.split()) > 5 for each in RULES.values())


def test_stages_sort_into_the_order_of_the_forward_pass():
    shuffled = sorted(["zzz", *STAGES, "text.vector", "layer.10.query"], key=hash)
    expected = [*STAGES[:-2], "layer.10.query", *STAGES[-2:], "text.vector", "zzz"]
    assert sorted(shuffled, key=place) == expected


def test_limits_are_multiples_of_the_noise():
    limits = tolerance("layer.1.query", (F32, F64), 2.0, NOISE)
    assert limits == Tolerance(8 * 3e-7, 5 * 1e-7)
    assert tolerance("layer.1.query", (F32,), 2.0, NOISE, local=True).largest == 16 * 3e-7


@pytest.mark.parametrize(
    ("dtypes", "scale"),
    [
        ((np.float64, np.float64), 2**-29),
        ((np.float16, np.float32), 2**13),
        ((np.float64, ml_dtypes.bfloat16), 2**16),
        ((np.float16, ml_dtypes.bfloat16), 2**16),
    ],
)
@pytest.mark.parametrize("noise", [None, NOISE])
def test_other_dtypes_have_the_noise_of_their_unit(dtypes, scale, noise):
    single = tolerance("layer.1.query", (F32, F32), 2.0, noise)
    other = tolerance("layer.1.query", tuple(map(np.dtype, dtypes)), 2.0, noise)
    assert other.largest == pytest.approx(scale * single.largest)
    assert (other.bulk is None) == (noise is None)


def test_without_noise_the_floor_grows_with_the_layers():
    first, third = (tolerance(f"layer.{i}.output", (F32,), 3.0, None).largest for i in (0, 2))
    assert first == 32 * 2**-24 * 3
    assert third == 3 * first
    assert tolerance("layer.2.output", (F32,), 3.0, None, local=True).largest == first


def test_a_copy_may_be_rounded_and_no_more():
    assert tolerance("embeddings.token", (F32, F64), 1.0, NOISE) == Tolerance(2**-24, None)
    assert tolerance("sequence_output", (F32,), 1.0, Spread(0, 0), local=True).bulk is None


def test_both_limits_hold():
    limits = Tolerance(4.0, 1.0)
    assert limits.passes(Spread(1.0, 4.0))
    assert not limits.passes(Spread(1.1, 2.0))
    assert not limits.passes(Spread(0.5, 4.1))
    assert limits.scale(Spread(3.0, 4.0)) == 3
    assert Tolerance(4.0, None).scale(Spread(3.0, 2.0)) == 0.5
    assert Tolerance(0.0, None).scale(Spread(0.0, 1e-9)) == math.inf
    assert Tolerance(0.0, 0.0).scale(Spread(0.0, 0.0)) == 0
    assert not limits.passes(Spread(math.inf, math.inf))


def test_the_users_tolerances_go_by_pattern_and_the_last_decides():
    found = overridden(STAGES, {"layer.*.probs": 1e-3, "layer.1.*": 0.5, "pooled_output": 2})
    assert found["layer.0.probs"] == 1e-3
    assert found["layer.1.probs"] == found["layer.1.query"] == 0.5
    assert found["pooled_output"] == 2
    assert "layer.0.query" not in found
    assert overridden(STAGES, None) == {}


def test_a_pattern_of_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"unknown stage or pattern 'layer\.0\.quary'") as caught:
        overridden(STAGES, {"layer.0.quary": 1.0})
    assert caught.value.fix == "did you mean 'layer.0.query'?"
