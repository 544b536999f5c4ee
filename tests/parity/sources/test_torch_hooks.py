"""Hooks and what watches the scores, without PyTorch."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
from parity.sources.fakes import Tensor, library

from npbert.parity.sources.torch_hooks import attach, submodule, to_numpy

TORCH = library("torch", overrides=SimpleNamespace(TorchFunctionMode=object))


class Module:
    """Keeps its hooks, and calls them as PyTorch would."""

    def __init__(self):
        self.before, self.after = [], []

    def register_forward_hook(self, hook):
        self.after.append(hook)
        return SimpleNamespace(remove=lambda: self.after.remove(hook))

    def register_forward_pre_hook(self, hook):
        self.before.append(hook)
        return SimpleNamespace(remove=lambda: self.before.remove(hook))

    def call(self, received, returned):
        for hook in self.before:
            hook(self, (received,))
        for hook in self.after:
            hook(self, (received,), returned)


class Model:
    """One layer, and no pooler."""

    def __init__(self):
        self.modules = {}
        self.encoder = SimpleNamespace(layer=[None])

    def get_submodule(self, path):
        if path == "embeddings.LayerNorm":
            raise AttributeError(path)
        return self.modules.setdefault(path, Module())


@pytest.fixture
def seen():
    return {}


@pytest.fixture
def model():
    return Model()


def function(name, shape):
    """What a function of torch gives, seen by the mode: (its name, its result)."""

    def made():
        return Tensor(np.ones(shape))

    made.__name__ = name
    return made


def test_modules_show_what_they_receive_and_return(model, seen):
    with ExitStack() as stack:
        attach(model, seen.__setitem__, stack, TORCH)
        model.modules["encoder.layer.0.output.dense"].call("in", "out")
        model.modules["encoder.layer.0.attention.self.query"].call("in", "out")
        model.modules["encoder.layer.0.attention.self"].call("x", ("context", "weights"))
        assert seen == {
            "layer.0.activation": "in",
            "layer.0.output": "out",
            "layer.0.query": "out",
            "layer.0.probs": "weights",
        }
    assert submodule(model, "embeddings.LayerNorm") is None
    assert not any(module.before + module.after for module in model.modules.values())


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        (["matmul", "mul", "add", "softmax", "matmul"], 1),
        (["matmul", "__truediv__", "softmax"], 1),
        (["matmul", "__add__", "mul"], 0),
        (["linear", "scaled_dot_product_attention"], None),
    ],
)
def test_scores_are_the_last_product_before_anything_is_added(model, seen, calls, wanted):
    results = []
    with ExitStack() as stack:
        watch = attach(model, seen.__setitem__, stack, TORCH)
        attention = model.modules["encoder.layer.0.attention.self"]
        attention.before[0](attention, ())
        watch.__torch_function__(function("matmul", (2, 3, 4, 5)), ())  # not of T by T
        for name in calls:
            results.append(watch.__torch_function__(function(name, (2, 3, 7, 7)), ()))
        attention.after[-1](attention, (), ("context", None))
        watch.__torch_function__(function("matmul", (2, 3, 7, 7)), ())  # outside
    assert seen == ({} if wanted is None else {"layer.0.scores": results[wanted]})


def test_arrays_of_tensors(monkeypatch):
    array = np.float32([1, 2])
    copied = to_numpy(Tensor(array))
    copied[0] = 5
    assert array[0] == 1
    values = np.array([1.5, -2], ml_dtypes.bfloat16)
    tensor = Tensor(values, "bfloat16")
    tensor.view = lambda dtype: Tensor(values.view(dtype))
    monkeypatch.setitem(sys.modules, "torch", library("torch", int16=np.int16))
    found = to_numpy(tensor)
    assert found.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(found, values)
