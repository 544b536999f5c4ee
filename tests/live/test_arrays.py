"""Arrays of PyTorch, TensorFlow and JAX as inputs: the bits of NumPy ones."""

from __future__ import annotations

import importlib
import os
import warnings

import numpy as np
import pytest
from goldens import assert_same_bits

from npbert import BertBackbone

pytestmark = pytest.mark.live

MAKE = {
    "torch": lambda torch, array: torch.tensor(array),
    "tensorflow": lambda tensorflow, array: tensorflow.constant(array),
    "jax": lambda jax, array: jax.numpy.asarray(array),
}


@pytest.fixture(scope="module")
def model():
    return BertBackbone(37, 2, 3, 21, 34, max_sequence_length=11, num_segments=4, seed=5)


@pytest.fixture(scope="module", params=MAKE)
def make(request):
    """Turns a NumPy array into one of the library's."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", JAX_PLATFORMS="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = importlib.import_module(request.param)
        MAKE[request.param](library, np.zeros(1, np.int32))  # starts the device
    return lambda array: MAKE[request.param](library, array)


def numpy_inputs(dtype, mask_dtype):
    rng = np.random.default_rng(3)
    mask = np.ones((5, 8), mask_dtype)
    mask[1, 5:] = mask[2, :3] = mask[3, 2:4] = mask[4] = 0
    return {
        "token_ids": rng.integers(37, size=(5, 8)).astype(dtype),
        "segment_ids": rng.integers(4, size=(5, 8)).astype(dtype),
        "padding_mask": mask,
    }


@pytest.mark.parametrize("mask_dtype", [np.int32, np.int64, np.bool_])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")  # JAX's
def test_outputs(model, make, dtype, mask_dtype):
    inputs = numpy_inputs(dtype, mask_dtype)
    theirs = {name: make(array) for name, array in inputs.items()}
    assert not any(isinstance(array, np.ndarray) for array in theirs.values())
    assert_same_bits(model(theirs), model(inputs))
    assert_same_bits(model.predict(theirs, batch_size=2), model(inputs))
    assert_same_bits(model({**inputs, "padding_mask": theirs["padding_mask"]}), model(inputs))


def test_token_embedding(model, make):
    ids = numpy_inputs(np.int64, np.int32)["token_ids"]
    vectors = model.token_embedding(ids)
    np.testing.assert_array_equal(model.token_embedding(make(ids)), vectors)
    np.testing.assert_array_equal(
        model.token_embedding(make(vectors), reverse=True),
        model.token_embedding(vectors, reverse=True),
    )
