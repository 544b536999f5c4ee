"""ONNX Runtime's settings and inputs, over a stand-in for it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from bench.engines.fakes import Noted, batch, engine_module, hidden, library, setup


@pytest.fixture
def session():
    return SimpleNamespace(run=lambda names, feed: [hidden(feed["input_ids"])])


@pytest.fixture
def loaded(monkeypatch, tmp_path, session):
    made = Noted(session)
    levels = SimpleNamespace(ORT_ENABLE_ALL="all")
    onnxruntime = library(
        "onnxruntime",
        SessionOptions=SimpleNamespace,
        GraphOptimizationLevel=levels,
        InferenceSession=made,
    )
    module = engine_module(monkeypatch, "of_onnxruntime", onnxruntime)
    (tmp_path / "fused.txt").write_text("2 Attention")
    monkeypatch.setattr(module, "converted", lambda setup, kind: tmp_path / kind)
    engine = module.OnnxRuntime()
    engine.load(setup(tmp_path))
    return engine, made


def test_all_threads_on_one_fused_graph(loaded, tmp_path):
    ((path, options), more) = loaded[1].calls[0]
    assert path == str(tmp_path / "fused.onnx")
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (3, 1)
    assert options.graph_optimization_level == "all"
    assert more == {"providers": ["CPUExecutionProvider"]}
    assert loaded[0].settings() == {"fused": "2 Attention", "optimization": "ORT_ENABLE_ALL"}


def test_inputs_and_outputs(loaded):
    (feed,) = loaded[0].prepare([batch()])
    assert [array.dtype for array in feed.values()] == [np.int64] * 3
    np.testing.assert_array_equal(feed["attention_mask"], batch().mask)
    np.testing.assert_array_equal(loaded[0].run([feed])[0], hidden(batch().ids))
