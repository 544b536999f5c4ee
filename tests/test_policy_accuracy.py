"""Every dtype policy against float64: as close as Keras Hub's own backends, or closer."""

from __future__ import annotations

import numpy as np
import policy_accuracy
import pytest
import tolerances
from goldens import OUTPUTS
from policy_accuracy import BACKENDS, POLICIES

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_over_at_least_two_hundred_inputs(policy, backend):
    for stage, found in policy_accuracy.measure(policy).items():
        assert found.log_ratios[backend].size >= 200, stage
        assert np.isfinite(found.log_ratios[backend]).all(), stage


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_on_average_no_further_from_float64_than_keras(policy, backend):
    means = {name: s.mean(backend) for name, s in policy_accuracy.measure(policy).items()}
    assert max(means[name] for name in OUTPUTS) <= tolerances.ACCURACY_MEAN, means
    assert max(means.values()) <= tolerances.ACCURACY_MEAN + tolerances.ACCURACY_SAME, means


@pytest.mark.parametrize("policy", POLICIES)
def test_no_case_has_an_outlier(policy):
    largest = {name: stage.excess for name, stage in policy_accuracy.measure(policy).items()}
    assert max(largest.values()) <= tolerances.ACCURACY_LARGEST, largest


def test_float64_is_tensorflows_and_the_references():
    for stage, far in policy_accuracy.measure_float64().items():
        assert far.tensorflow <= tolerances.REFERENCE_CONSTANTS, stage
        assert far.reference <= tolerances.REFERENCE_SAME, stage
