"""PyTorch's three ways, over stand-ins for torch and transformers."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
from bench.engines.fakes import Noted, batch, engine_module, hidden, library, setup


class Tensor(np.ndarray):
    def numpy(self):
        return np.asarray(self)


class Model:
    """A BertModel whose hidden states are its ids."""

    config = SimpleNamespace(_attn_implementation="sdpa")

    def eval(self):
        return self

    def __call__(self, input_ids, **_):
        return SimpleNamespace(last_hidden_state=hidden(input_ids).view(Tensor))


@pytest.fixture
def module(monkeypatch):
    nothing = Noted()
    inductor = library("torch._inductor", config=SimpleNamespace(freezing=False))
    torch = library(
        "torch",
        **{name: name for name in ("float32", "float64")},
        set_num_threads=Noted(),
        compile=Noted("compiled"),
        from_numpy=lambda array: array.view(Tensor),
        zeros_like=np.zeros_like,
        inference_mode=contextlib.nullcontext,
    )
    config = SimpleNamespace(hidden_act="gelu")
    transformers = library(
        "transformers",
        logging=SimpleNamespace(set_verbosity_error=nothing, disable_progress_bar=nothing),
        AutoConfig=SimpleNamespace(from_pretrained=lambda path: config),
        AutoModel=SimpleNamespace(from_pretrained=Noted(Model())),
    )
    return engine_module(monkeypatch, "of_torch", torch, inductor, transformers)


def load(module, tmp_path, activation=None, **how):
    engine = module.Torch(**how)
    engine.load(setup(tmp_path, activation=activation))
    return engine, module.transformers.AutoModel.from_pretrained.calls[-1][1]


@pytest.mark.parametrize(
    ("how", "attention"), [("eager", "eager"), ("sdpa", "sdpa"), ("compile", "sdpa")]
)
def test_attention(module, tmp_path, how, attention):
    _, told = load(module, tmp_path, how=how)
    assert told["attn_implementation"] == attention
    assert told["dtype"] == "float32"
    assert module.torch.set_num_threads.calls == [((3,), {})]


def test_the_truth(module, tmp_path):
    _, told = load(module, tmp_path, "gelu_approximate", how="eager", width="float64")
    assert (told["dtype"], told["config"].hidden_act) == ("float64", "gelu_pytorch_tanh")


def test_it_compiles_for_fixed_shapes_and_for_varying_ones(module, tmp_path):
    engine, _ = load(module, tmp_path, how="compile")
    assert [more["dynamic"] for _, more in module.torch.compile.calls] == [False, True]
    assert engine._runs == {False: "compiled", True: "compiled"}


def test_outputs(module, tmp_path):
    engine, _ = load(module, tmp_path, how="sdpa")
    (output,) = engine.run(engine.prepare([batch()]))
    np.testing.assert_array_equal(output, hidden(batch().ids))


def test_whether_shapes_vary(module, tmp_path):
    engine, _ = load(module, tmp_path, how="sdpa")
    engine._runs = {False: "fixed", True: "varying"}
    wide = batch()._replace(ids=np.zeros((2, 6), np.int32))
    assert {run for run, _ in engine.prepare([batch(), batch()])} == {"fixed"}
    assert {run for run, _ in engine.prepare([batch(), wide])} == {"varying"}
