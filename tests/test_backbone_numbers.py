"""What `BertBackbone` computes in each dtype policy: what it must equal, and what it is near.

Against Keras's own numbers the policies are tested in ``test_policy_accuracy.py``; what changes no
bit, in ``test_golden_properties.py``.
"""

from __future__ import annotations

import goldens
import numpy as np
import pytest
from goldens import CASES_OF, assert_same_bits
from policy_models import batch, config_of, random_weights
from tolerances import REFERENCE_SAME

from npbert import BertBackbone, reference
from npbert.dtype_policy import DTypePolicy, numpy_dtype
from npbert.simd.precision import PRECISIONS

pytestmark = pytest.mark.kernel

STORED = ("float16_from_float32", "bfloat16_from_float32")


def error_in_float64(config, weights, inputs):
    """The largest of any stage, by the kernels against the definition."""
    exact = {}
    reference.forward(config, weights, **inputs, seen=exact.__setitem__)
    model = BertBackbone.from_weights(config, weights, num_threads=1, dtype="float64")
    _, stages = model.run_with_cache(inputs)
    assert stages.keys() == exact.keys()
    return {name: np.abs(stages[name] - exact[name]).max() for name in exact}


@pytest.mark.parametrize("activation", ["gelu", "gelu_approximate"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_float64_kernels_are_the_definition(activation, dropout):
    config = config_of(activation=activation, dropout=dropout)
    errors = error_in_float64(config, random_weights(config), batch())
    assert max(errors.values()) <= REFERENCE_SAME, errors


@pytest.mark.parametrize("case", goldens.HUGGING_FACE_CASES)
def test_float64_kernels_are_the_definition_on_the_goldens(case):
    """Those of Keras are in ``test_policy_accuracy.py``."""
    weights = goldens.weights(case, np.float64)
    errors = error_in_float64(goldens.config(case), weights, goldens.inputs(case))
    assert max(errors.values()) <= REFERENCE_SAME, errors


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("case", CASES_OF["float16"])
def test_the_storage_mode_is_float32_on_rounded_weights(dtype, case):
    """To the last bit: weights that are widened are the same numbers, in the same sums."""
    config, kept = goldens.config(case), numpy_dtype(DTypePolicy(dtype).variable_dtype)
    rounded = {name: w.astype(kept).astype(np.float32) for name, w in goldens.weights(case).items()}
    plain = BertBackbone.from_weights(config, rounded, num_threads=1)
    model = goldens.backbone(case, dtype=dtype)
    for rows in (slice(None), np.resize(np.arange(len(goldens.inputs(case)["token_ids"])), 40)):
        inputs = {name: array[rows] for name, array in goldens.inputs(case).items()}
        assert_same_bits(model(inputs), plain(inputs))
    _, ours = model.run_with_cache(goldens.inputs(case))
    _, theirs = plain.run_with_cache(goldens.inputs(case))
    assert_same_bits(ours, theirs)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_mixed_model_of_rounded_variables_is_the_policy_it_is_named_after(name):
    weights = goldens.weights("odd_width", numpy_dtype(name))
    config, inputs = goldens.config("odd_width"), goldens.inputs("odd_width")
    one, other = (
        BertBackbone.from_weights(config, weights, num_threads=1, dtype=dtype)
        for dtype in (name, f"mixed_{name}")
    )
    assert_same_bits(one(inputs), other(inputs))
    given = goldens.backbone("odd_width", dtype=f"mixed_{name}")(inputs)
    assert not np.array_equal(given["pooled_output"], one(inputs)["pooled_output"])


@pytest.mark.parametrize("dtype", [*PRECISIONS])
def test_no_two_policies_are_one(dtype):
    """Each computes something of its own; all are near."""
    case = "long"
    plain = goldens.backbone(case)(goldens.inputs(case))["pooled_output"]
    found = goldens.backbone(case, dtype=dtype)(goldens.inputs(case))["pooled_output"]
    same = np.array_equal(found.astype(np.float64), plain.astype(np.float64))
    assert same == (dtype == "float32")
    np.testing.assert_allclose(found.astype(np.float64), plain, atol=0.1)
