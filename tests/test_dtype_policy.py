"""Dtype policies: every way to say one, and the words of the refusal."""

from __future__ import annotations

import enum
import pickle
import types
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from npbert import config
from npbert.dtype_policy import KERAS, DTypePolicy, get, numpy_dtype
from npbert.errors import ConfigError

WIDTHS = {  # name -> weights, activations
    "float32": ("float32", "float32"),
    "float64": ("float64", "float64"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "mixed_float16": ("float32", "float16"),
    "mixed_bfloat16": ("float32", "bfloat16"),
    "float16_from_float32": ("float16", "float32"),
    "bfloat16_from_float32": ("bfloat16", "float32"),
}


@pytest.fixture(autouse=True)
def nothing_set() -> Iterator[None]:
    yield
    config.set_dtype_policy(None)


@pytest.mark.parametrize("name", WIDTHS)
def test_names(name: str):
    policy = get(name)
    assert (policy.name, policy.variable_dtype, policy.compute_dtype) == (name, *WIDTHS[name])
    assert policy == DTypePolicy(name) == pickle.loads(pickle.dumps(policy))
    assert get(policy) is policy
    assert get(policy.serialized()) == policy


def test_what_keras_knows_of_them():
    assert tuple(WIDTHS)[:6] == KERAS
    assert [get(name).in_keras.name for name in WIDTHS] == [*KERAS, "float32", "float32"]
    assert get("mixed_bfloat16").serialized() == {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "mixed_bfloat16"},
        "registered_name": None,
    }


class Width(enum.StrEnum):
    half = "float16"


def of_keras(name: str, compute: str) -> types.SimpleNamespace:
    return types.SimpleNamespace(name=name, compute_dtype=compute, variable_dtype="float32")


class Torch:
    """A dtype of PyTorch's: it has no name of its own."""

    def __repr__(self) -> str:
        return "torch.bfloat16"


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (np.float64, "float64"),
        (np.dtype(">f4"), "float32"),
        (float, "float32"),
        (ml_dtypes.bfloat16, "bfloat16"),
        (numpy_dtype("bfloat16"), "bfloat16"),
        (Torch(), "bfloat16"),
        (np.str_("mixed_float16"), "mixed_float16"),
        (Width.half, "float16"),
        (of_keras("mixed_bfloat16", "bfloat16"), "mixed_bfloat16"),
        ({"class_name": "FloatDTypePolicy", "config": {"name": "float16"}}, "float16"),
        ({"class_name": "DTypePolicy", "config": {"name": None}}, "float32"),
    ],
)
def test_what_stands_for_one(dtype: object, name: str):
    assert get(dtype) == DTypePolicy(name)


def saved(name: object, class_name: str = "DTypePolicy") -> dict[str, Any]:
    return {"module": "keras", "class_name": class_name, "config": {"name": name}}


NEAR = "give one of these names to the whole model"
FLOAT = "choose a float; a preset that Keras quantised to int8 is read in any of these"


@pytest.mark.parametrize(
    ("dtype", "fix"),
    [
        *((garbage, NEAR) for garbage in (0, 16, True, int, [], {}, np.longdouble)),
        (["float32"], "did you mean 'float32'?"),
        (b"float32", "did you mean 'float32'?"),
        ("", NEAR),
        ("foo", NEAR),
        ("mixed_float", "did you mean 'mixed_float16'?"),
        ("Float32", "did you mean 'float32'?"),
        ("bf16", "did you mean 'bfloat16'?"),
        ("float8", FLOAT),
        (ml_dtypes.float8_e4m3fn, FLOAT),
        (np.int8, FLOAT),
        (of_keras("int4/128_from_float32", "float32"), FLOAT),
        (of_keras("map_bfloat16", "bfloat16"), "did you mean 'bfloat16'?"),
        (saved("float32", "QuantizedDTypePolicy"), NEAR),
        (saved(None, "DTypePolicyMap"), NEAR),
        (saved(["float32"]), NEAR),
        (saved("int8_from_float32"), FLOAT),
        ({"config": {"name": "float32"}}, NEAR),
        ({"class_name": "DTypePolicy", "config": "float32"}, NEAR),
    ],
    ids=repr,
)
def test_what_does_not(dtype: object, fix: str):
    with pytest.raises(ConfigError, match=r"dtype is not one that npbert has\.") as error:
        get(dtype)
    assert error.value.where == "dtype"
    assert error.value.expected == ", ".join(WIDTHS)
    assert error.value.fix == fix
    with pytest.raises(ConfigError):
        config.set_dtype_policy(dtype)


def test_the_error_shows_what_came():
    with pytest.raises(ConfigError) as error:
        get({"class_name": "X", "config": "y" * 99})
    assert error.value.received == f"{ {'class_name': 'X', 'config': 'y' * 99}!r:.80}"
    with pytest.raises(ConfigError, match="received: 7"):
        DTypePolicy(7)  # type: ignore[arg-type]


def test_the_default():
    assert config.dtype_policy() == get() == get(None) == DTypePolicy("float32")
    assert get(None, "float16") == DTypePolicy("float16")
    config.set_dtype_policy(of_keras("mixed_float16", "float16"))
    assert config.dtype_policy() == get(None, "float16") == DTypePolicy("mixed_float16")
    assert get("float64") == DTypePolicy("float64")
    config.set_dtype_policy(None)
    assert get(None, "float16") == DTypePolicy("float16")


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16"])
def test_of_numpy(name: str):
    assert numpy_dtype(name).name == name
    assert numpy_dtype(name).itemsize * 8 == int(name.removeprefix("b").removeprefix("float"))
