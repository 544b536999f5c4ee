"""The forward pass in NumPy against the real models, stage by stage."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import goldens
import numpy as np
import pytest
import tolerances
from goldens import CASES, HUGGING_FACE_CASES, KERAS_CASES

from npbert import reference

ROOT = Path(__file__).parents[1]


def rounded(constant: float) -> float:
    """What TensorFlow's float64 does to 0.044715 and 1 / sqrt(H)."""
    return float(np.float32(constant))


def run(case, dtype=np.float64, **changes):
    """Every stage that the reference computes for a golden case."""
    stages = {}
    settings = {"round_constants": changes.pop("round_constants", float)}
    config = dataclasses.replace(goldens.config(case), **changes)
    weights, batch = goldens.weights(case, dtype), goldens.inputs(case)
    outputs = reference.forward(config, weights, **batch, seen=stages.__setitem__, **settings)
    assert list(outputs) == list(goldens.OUTPUTS)
    assert all(outputs[name] is stages[name] for name in outputs)
    return stages


def first_divergence(case, ours, *, source=None, rtol=0.0, atol=0.0):
    names = goldens.stages(goldens.config(case))
    theirs = goldens.bundle(case).group(source or goldens.exact_source(case))
    assert set(theirs) <= set(names)  # no recorded stage goes uncompared
    return goldens.first_divergence(names, ours, theirs, rtol=rtol, atol=atol)


@pytest.mark.parametrize("case", KERAS_CASES)
def test_equals_tensorflow_with_its_rounded_constants(case):
    stages = run(case, round_constants=rounded)
    assert first_divergence(case, stages, atol=tolerances.REFERENCE_SAME) is None


@pytest.mark.parametrize("case", KERAS_CASES)
def test_is_near_tensorflow_with_exact_constants(case):
    assert first_divergence(case, run(case), atol=tolerances.REFERENCE_CONSTANTS) is None


@pytest.mark.parametrize("case", HUGGING_FACE_CASES)
def test_equals_hugging_face_with_exact_constants(case):
    assert first_divergence(case, run(case), atol=tolerances.REFERENCE_SAME) is None


@pytest.mark.parametrize("case", ["odd_width", "hf_odd_width_erf", "hf_deep_tanh"])
def test_the_first_stage_out_of_tolerance_is_named(case):
    activation = goldens.config(case).activation
    other = "gelu" if activation == "gelu_approximate" else "gelu_approximate"
    found = first_divergence(case, run(case, activation=other), atol=1e-7)
    assert found is not None
    assert found.stage == "layer.0.activation"
    assert 1e-5 < found.error < 4.74e-4


def test_the_two_mask_paths_part_at_the_scores_of_a_fully_masked_row():
    found = first_divergence("deep", run("deep", dropout=0.0), atol=1e-7)
    assert found is not None
    assert found.stage == "layer.0.probs"
    assert found.index[0] == goldens.bundle("deep").meta["masks"].index("empty")
    assert found.error == pytest.approx(1 / 6)


@pytest.mark.parametrize("case", CASES)
def test_float32_in_float32(case):
    stages = run(case, np.float32)
    assert {value.dtype for value in stages.values()} == {np.dtype(np.float32)}
    assert first_divergence(case, stages, rtol=tolerances.STAGES_FLOAT64) is None
    for source in goldens.float32_sources(case):
        found = first_divergence(case, stages, source=source, rtol=tolerances.STAGES_FLOAT32)
        assert found is None, source


def test_long_double():
    stages = run("odd_width", np.longdouble)
    assert {value.dtype for value in stages.values()} == {np.dtype(np.longdouble)}
    assert first_divergence("odd_width", stages, atol=tolerances.REFERENCE_CONSTANTS) is None


def test_all_stages_come_by_once_and_in_order():
    names = []
    reference.forward(
        goldens.config("deep"),
        goldens.weights("deep", np.float64),
        **goldens.inputs("deep"),
        seen=lambda stage, value: names.append(stage),
    )
    assert names == goldens.stages(goldens.config("deep"))


def test_without_a_pooler():
    weights = goldens.weights("odd_width", np.float64)
    del weights["pooled_dense/kernel"], weights["pooled_dense/bias"]
    batch = goldens.inputs("odd_width")
    outputs = reference.forward(goldens.config("odd_width"), weights, **batch)
    assert list(outputs) == ["sequence_output"]


_BLOCKED = """
import importlib.abc, sys

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"numba", "llvmlite", "h5py", "tokenizers"}:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Block())
sys.path[:0] = [%r, %r]
import goldens
import numpy as np
from npbert import reference
from npbert.ops.registry import OPS

for case in ("odd_width", "hf_odd_width_erf", "dropout_zero"):
    outputs = reference.forward(
        goldens.config(case), goldens.weights(case, np.float64), **goldens.inputs(case)
    )
    expected = goldens.bundle(case).group(goldens.exact_source(case))
    for name in goldens.OUTPUTS:
        assert np.abs(outputs[name] - expected[name]).max() < 1e-7, (case, name)

x = np.linspace(-3, 3, 2 * 5 * 6).reshape(2, 5, 6)  # (B, T, D)
mask = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0]])  # (B, T)
heads = x.reshape(2, 5, 2, 3)  # (B, T, N, H)
starts = np.array([0, 4, 10])
arguments = {
    "lookup": (x[0], mask),
    "add_embeddings": (x, x, x),
    "layer_norm": (x, x[0, 0], x[0, 1]),
    "dense": (x, x[0].T, x[0, :, 0]),
    "softmax": (x, x > 0),
    "attention": (heads, heads, heads, mask),
    "pooler": (x, np.ones((6, 4)), np.ones(4)),
    "mean_pool": (x.reshape(10, 6), starts),
    "mean_sqrt_len_pool": (x.reshape(10, 6), starts),
    "weighted_mean_pool": (x.reshape(10, 6), starts),
    "max_pool": (x.reshape(10, 6), starts),
    "euclidean": (x[0], x[1]),
    "manhattan": (x[0], x[1]),
    "row_dot": (x[0], x[1]),
    "projection": (x[0], np.ones((6, 4)), np.ones(4)),
    "classifier_head": (x[0], np.ones((6, 4)), np.ones(4)),
    "masked_lm_head": (x[0], np.eye(6), x[0, 0], x[0, 1], x[0, 2], np.ones((7, 6)), np.ones(7)),
}
named = {"layer_norm": {"epsilon": 1e-12}, "attention": {"fused": True}}
named |= {"projection": {"activation": "tanh"}, "classifier_head": {"activation": "softmax"}}
named["masked_lm_head"] = {"activation": "gelu", "epsilon": 1e-5}
for name, op in OPS.items():
    op.definition(*arguments.get(name, (x,)), **named.get(name, {}))
print("ran", len(OPS), "definitions")
"""


def test_the_definitions_need_numpy_and_scipy_only():
    script = _BLOCKED % (str(ROOT), str(ROOT / "tests"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ran ")
