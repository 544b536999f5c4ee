"""Keras Hub's backends, over stand-ins for it."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace

import numpy as np
import pytest
from bench.engines.fakes import Noted, batch, engine_module, hidden, library, setup


class Model:
    """A backbone whose hidden states are its ids, and which wants to be called in one way."""

    trainable_variables = (SimpleNamespace(value=1),)
    non_trainable_variables = (SimpleNamespace(value=2),)

    def __call__(self, inputs, training):
        assert training is False
        return {"sequence_output": hidden(inputs["token_ids"])}

    def stateless_call(self, weights, state, inputs, training):
        assert (weights, state) == ([1], [2])
        return self(inputs, training), state


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch", "numpy"])
def test_a_backend(monkeypatch, tmp_path, backend):
    monkeypatch.setenv("KERAS_BACKEND", "none")
    threads, jits = Noted(), []
    threading = SimpleNamespace(
        set_intra_op_parallelism_threads=threads, set_inter_op_parallelism_threads=Noted()
    )

    def jit(function, **more):
        jits.append(more)
        return function

    classes = SimpleNamespace(BertBackbone=SimpleNamespace(from_preset=Noted(Model())))
    current = SimpleNamespace(backend=lambda: os.environ["KERAS_BACKEND"])
    config = SimpleNamespace(threading=threading)
    module = engine_module(
        monkeypatch,
        "of_keras",
        library("tensorflow", config=config, function=jit),
        library("jax", jit=jit),
        library("torch", set_num_threads=threads, inference_mode=contextlib.nullcontext),
        library("keras", backend=current),
        library("keras_hub", models=classes),
    )
    engine = module.KerasHub(backend)
    engine.load(setup(tmp_path))
    assert jits == {"tensorflow": [{"jit_compile": True}], "jax": [{}]}.get(backend, [])
    assert threads.calls == [((3,), {})] * (backend in ("tensorflow", "torch"))
    assert engine.settings()["backend"] == backend
    (output,) = engine.run(engine.prepare([batch()]))
    np.testing.assert_array_equal(output, hidden(batch().ids))
