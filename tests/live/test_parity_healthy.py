"""Pairs that compute the same function, each written by others: none may be told apart."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from live import tiny_directory
from live.exporters import export
from live.peers import ROOT
from text.tiny_model import CONFIG

from npbert.parity import invariance
from npbert.parity.compare import compare
from npbert.parity.sources import open_source
from npbert.weights.names import weight_shapes

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]

# Short and plain: on control characters and on long texts, Keras Hub's tokenizer has its own rules.
TEXTS = ["the river runs", "an old stone mill", "our house", "a", "under the bridge and past"]
PAIRS = [
    ("keras tensorflow", "keras jax"),
    ("keras tensorflow", "torch"),
    ("keras jax", "onnx"),
    ("torch", "onnx"),
    ("npbert", "keras tensorflow"),
    ("npbert", "keras jax"),
    ("npbert", "torch"),
    ("npbert", "onnx"),
    ("npbert", "onnx, newer exporter"),
    ("npbert", "sentence-transformers"),
    ("npbert", "npbert, float64"),
    ("torch", "torch, float64"),
    ("torch, float64", "npbert"),
    ("keras tensorflow", "npbert, float64"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory, seed):
    """Weights as narrow as trained ones, or wider. The tanh GELU, for Keras Hub has no other."""
    random = np.random.default_rng(seed)
    layers = int(random.integers(2, 6))
    config = dataclasses.replace(CONFIG, num_layers=layers, activation="gelu_approximate")
    spread = random.choice([0.05, 0.15, 0.4])
    weights = {
        name: np.float32(random.standard_normal(shape) * spread + name.endswith("gamma"))
        for name, shape in weight_shapes(config).items()
    }
    return tiny_directory.write(tmp_path_factory.mktemp("healthy") / "model", config, weights)


@pytest.fixture(scope="module")
def sides(directory):
    """Name -> source, opened once."""
    torch = open_source(f"torch:{directory}")
    export(torch.model, directory / "old.onnx", dynamo=False)
    export(torch.model, directory / "new.onnx", dynamo=True)
    return {
        "npbert": open_source(str(directory)),
        "npbert, float64": open_source(f"npbert:{directory}@float64"),
        "torch": torch,
        "torch, float64": open_source(f"torch:{directory}@float64"),
        "sentence-transformers": open_source(f"st:{directory}"),
        "onnx": open_source(f"onnx:{directory / 'old.onnx'}"),
        "onnx, newer exporter": open_source(f"onnx:{directory / 'new.onnx'}"),
        "keras tensorflow": recorded(directory, "tensorflow"),
        "keras jax": recorded(directory, "jax"),
    }


def recorded(directory, backend):
    """Keras Hub has one backend a process, so both leave bundles."""
    stem = directory / backend
    command = [sys.executable, "-m", "npbert.cli", "parity", "record", f"keras:{directory}"]
    command += [str(stem), *(word for text in TEXTS for word in ("--text", text))]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return open_source(f"bundle:{stem}")


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=[f"{a}+{b}" for a, b in PAIRS])
def test_a_healthy_pair_agrees(sides, a, b, measured):
    report = compare(sides[a], sides[b], texts=TEXTS)
    assert report.verdict == "agree", (report.first, report.diagnosis)
    assert (report.first, report.diagnosis) == (None, None)
    measured(f"{a} and {b}: {report.smallest_scale:.2f} of what rounding lets pass")


def test_who_keeps_the_bits(sides, measured):
    assert invariance(sides["npbert"], TEXTS).bit_equal
    for name in ("torch", "onnx", "sentence-transformers"):
        found = invariance(sides[name], TEXTS)
        assert [change.what for change in found.changes if change.what == "repeated runs"]
        assert all(change.max_abs < 1e-3 for change in found.changes)
        others = [change.what for change in found.changes if not change.bit_equal]
        measured(f"{name} loses bits with: {', '.join(dict.fromkeys(others)) or 'nothing'}")
