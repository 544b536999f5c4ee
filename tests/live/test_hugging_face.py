"""Random models that transformers saves, against npbert from the saved directory."""

from __future__ import annotations

import accuracy
import numpy as np
import pytest
import tolerances
from goldens import OUTPUTS
from live import drawn

from npbert import BertBackbone, reference

pytestmark = pytest.mark.live

NAMES = [f"hugging_face_{i}" for i in range(len(drawn.HUGGING_FACE_SIZES))]
HAVE_A_POOLER = NAMES[:2]


@pytest.fixture(scope="module")
def built(seed):
    return {case.name: drawn.build(case) for case in drawn.hugging_face_cases(seed)}


@pytest.mark.parametrize("name", NAMES)
def test_the_directory_holds_the_model(peers, built, name):
    model = BertBackbone.from_preset(peers.wait("torch") / name)
    assert model.config.to_dict() == built[name].case.config
    weights = dict(model.weights())
    expected = {
        path: tensor
        for path, tensor in built[name].weights.items()
        if name in HAVE_A_POOLER or not path.startswith("pooled_dense/")
    }
    assert weights.keys() == expected.keys()
    for path, tensor in expected.items():
        np.testing.assert_array_equal(weights[path], tensor, path)


@pytest.mark.parametrize("name", NAMES)
def test_outputs(peers, built, name, measured):
    theirs = peers.arrays("torch", name)
    model = BertBackbone.from_preset(peers.wait("torch") / name)
    outputs = model(built[name].inputs)
    weights = {path: tensor.astype(np.float64) for path, tensor in model.weights()}
    exact = reference.forward(model.config, weights, **built[name].inputs)
    assert list(outputs) == list(OUTPUTS[: 1 + (name in HAVE_A_POOLER)])
    for output, array in outputs.items():
        truth = theirs[f"float64.{output}"]
        np.testing.assert_allclose(exact[output], truth, rtol=0, atol=tolerances.REFERENCE_SAME)
        error = np.abs(array - truth).max()
        torch = np.abs(theirs[f"float32.{output}"] - truth).max()
        measured(f"{name} {output}: {error:.2e} from float64, PyTorch {torch:.2e}")
        assert error <= tolerances.STAGES_FLOAT64 * np.abs(truth).max()
        assert error <= max(tolerances.ACCURACY_LARGEST * torch, accuracy.FLOOR)
