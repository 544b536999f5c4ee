"""Dtypes and policies of the real libraries, as `npbert.dtype_policy.get` takes them."""

from __future__ import annotations

import importlib
import os
import warnings

import pytest

from npbert.config import dtype_policy, set_dtype_policy
from npbert.dtype_policy import KERAS, DTypePolicy, get
from npbert.errors import ConfigError

pytestmark = pytest.mark.live

WIDTHS = ("float32", "float64", "float16", "bfloat16")
LIBRARIES = [
    *(("numpy", name) for name in WIDTHS[:3]),
    ("ml_dtypes", "bfloat16"),
    *((library, name) for library in ("torch", "tensorflow", "jax.numpy") for name in WIDTHS),
]
QUANTISED = ("int8_from_float32", "float8_from_bfloat16", "int4/128_from_float32")


@pytest.fixture(scope="module")
def keras():
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", JAX_PLATFORMS="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("keras")


@pytest.fixture
def default(keras):
    yield
    keras.config.set_dtype_policy("float32")
    set_dtype_policy(None)


@pytest.mark.parametrize("name", KERAS)
def test_policies_of_keras(keras, default, name):
    theirs = keras.DTypePolicy(name)
    saved = keras.dtype_policies.serialize(theirs)
    assert get(theirs) == get(saved) == DTypePolicy(name)
    assert get(name).serialized() == saved
    assert keras.dtype_policies.deserialize(get(name).serialized()) == theirs
    assert (theirs.compute_dtype, theirs.variable_dtype) == (
        get(name).compute_dtype,
        get(name).variable_dtype,
    )
    keras.config.set_dtype_policy(name)
    set_dtype_policy(keras.config.dtype_policy())
    assert dtype_policy() == DTypePolicy(name)


@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_policies_are_refused(keras, name):
    policy = keras.dtype_policies.get(name)
    several = keras.dtype_policies.DTypePolicyMap(policy_map={"pooled_dense": policy})
    for theirs in (policy, several):
        for dtype in (theirs, keras.dtype_policies.serialize(theirs)):
            with pytest.raises(ConfigError, match="dtype is not one that npbert has"):
                get(dtype)


@pytest.mark.parametrize(("library", "name"), LIBRARIES)
def test_dtypes_as_keras_takes_them(keras, library, name):
    dtype = getattr(importlib.import_module(library), name)
    assert get(dtype).name == keras.dtype_policies.get(dtype).name == name


def test_float_is_float32_to_keras(keras):
    assert get(float).name == keras.dtype_policies.get(float).name
