"""ONNX files: what is refused before a runtime sees them; `live.test_parity_sources` runs some."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from parity.sources.fakes import missing

from npbert.errors import DependencyError, UnsupportedModelError
from npbert.parity.sources import open_source
from npbert.parity.sources.of_onnx import _homes, _input, _named


def test_missing_library(monkeypatch, tmp_path):
    missing(monkeypatch, "onnx")
    with pytest.raises(DependencyError, match="pip install onnx"):
        open_source(f"onnx:{tmp_path / 'model.onnx'}")


def test_inputs():
    given = SimpleNamespace(name="attention_mask", type="tensor(int64)")
    assert _input(given, "x") == ("padding_mask", np.int64)
    for name, kind in (("pixel_values", "tensor(int64)"), ("input_ids", "tensor(string)")):
        with pytest.raises(UnsupportedModelError, match=rf"no BERT has[^$]*{name}"):
            _input(SimpleNamespace(name=name, type=kind), "x")


def test_outputs():
    outputs = ["last_hidden_state", "sentence_embedding", "pooled_output", "logits"]
    assert _named(outputs) == {
        "sequence_output": "last_hidden_state",
        "text.vector": "sentence_embedding",
        "pooled_output": "pooled_output",
    }


def test_where_the_config_is(tmp_path):
    assert _homes(tmp_path / "model.onnx") == [tmp_path]
    assert _homes(tmp_path / "onnx" / "model.onnx") == [tmp_path / "onnx", tmp_path]
