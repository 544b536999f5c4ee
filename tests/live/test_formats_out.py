"""What npbert writes, read by Keras Hub and by transformers: the same tensors, the same outputs."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import accuracy
import ml_dtypes
import numpy as np
import pytest
import tolerances
from goldens import OUTPUTS, bits
from live import drawn, formats_out_worker
from live.peers import _ENVIRONMENT, ROOT, TIMEOUT, load, save

from npbert import BertBackbone, reference
from npbert.config import BertConfig
from npbert.weights.names import tensors

pytestmark = pytest.mark.live

LIBRARIES = ("keras", "torch")
WIDTHS = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
KERAS = {  # what Keras read -> the dtype it was written in
    "float32": "float32",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "shards": "float32",
    "float16_shards": "float16",
    "archive": "float32",
    "weights": "float32",
    "weights_in_shards": "float32",
    "lossy": "float32",
}
TORCH = {
    "hf_float32": "float32",
    "hf_float16": "float16",
    "hf_bfloat16": "bfloat16",
    "hf_no_pooler": "float32",
}
ERF = {"activation": "gelu", "layer_norm_epsilon": 1e-5}


def rounded(weights, dtype):
    return {n: w.astype(WIDTHS[dtype]).astype(np.float32) for n, w in weights.items()}


@pytest.fixture(scope="module")
def built(seed):
    """A model with every kind of mask but the empty one, which the libraries treat differently."""
    case = drawn.keras_cases(seed)[3]
    kept = tuple(mask for mask in case.masks if mask != "empty")
    return drawn.build(dataclasses.replace(case, masks=kept))


@pytest.fixture(scope="module")
def config(built):
    return BertConfig(**built.case.config)


@pytest.fixture(scope="module")
def work(tmp_path_factory, built, config):
    """Everything that npbert writes; then each library has read it, in a process of its own."""
    work = tmp_path_factory.mktemp("formats")
    save(work, "inputs", built.inputs)
    model = BertBackbone.from_weights(config, built.weights)
    size = max(w.nbytes for w in built.weights.values()) / 2**30
    for dtype in WIDTHS:
        model.save_to_preset(work / dtype, dtype=dtype)
    model.save_to_preset(work / "shards", max_shard_size=size)
    model.save_to_preset(work / "float16_shards", max_shard_size=size, dtype="float16")
    model.save(work / "model.keras")
    model.save_weights(work / "one.weights.h5")
    model.save_weights(work / "several.weights.json", max_shard_size=size)
    erf = BertBackbone.from_weights(dataclasses.replace(config, **ERF), built.weights)
    with pytest.warns(UserWarning, match="computes other numbers"):
        erf.save_to_preset(work / "lossy", allow_lossy=True)
    for dtype in WIDTHS:
        erf.export_to_transformers(work / f"hf_{dtype}", dtype=dtype)
    bare = {name: w for name, w in built.weights.items() if not name.startswith("pooled_dense")}
    BertBackbone.from_weights(config, bare).export_to_transformers(work / "hf_no_pooler")
    assert len(list((work / "shards").glob("*.weights.h5"))) > 2
    for library in LIBRARIES:
        run(library, work)
    return work


def run(library, work):
    command = [sys.executable, "-m", "live.formats_out_worker", library, str(work)]
    environment = {**os.environ, **_ENVIRONMENT, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stderr[-4000:]


def test_everything_is_read():
    assert set(formats_out_worker.KERAS_PRESETS) <= set(KERAS)
    assert set(formats_out_worker.TORCH_FOLDERS) == set(TORCH)


@pytest.mark.parametrize("name", KERAS)
def test_keras_has_the_tensors(work, built, name):
    found = load(work, f"{name}@keras")
    for path, tensor in rounded(built.weights, KERAS[name]).items():
        np.testing.assert_array_equal(bits(found[f"weights.{path}"]), bits(tensor), path)


@pytest.mark.parametrize("name", TORCH)
def test_transformers_has_the_tensors(work, built, config, name):
    found = load(work, f"{name}@torch")
    weights = rounded(built.weights, TORCH[name])
    table = tensors(config, pooler=name != "hf_no_pooler")
    for tensor in table:
        theirs = tensor.from_hugging_face(found[f"weights.{tensor.hugging_face}"])
        np.testing.assert_array_equal(bits(theirs), bits(weights[tensor.name]), tensor.name)
    assert len([key for key in found if key.startswith("weights.")]) == len(table)
    assert found["dtype"].item() == f"torch.{TORCH[name]}"


@pytest.mark.parametrize("name", [*KERAS, *TORCH])
def test_the_outputs_are_those_of_npbert(work, built, config, name, measured):
    """Both are compared with float64: npbert may be no further off than the tolerance allows."""
    library, dtype = ("keras", KERAS[name]) if name in KERAS else ("torch", TORCH[name])
    computed = dataclasses.replace(config, **ERF) if name.startswith("hf_") else config
    if name == "hf_no_pooler":
        computed = config
    weights = rounded(built.weights, dtype)
    exact = reference.forward(
        computed, {n: w.astype(np.float64) for n, w in weights.items()}, **built.inputs
    )
    ours = BertBackbone.from_weights(computed, weights)(built.inputs)
    theirs = load(work, f"{name}@{library}")
    for output in OUTPUTS[: 1 + (name != "hf_no_pooler")]:
        error = np.abs(ours[output] - exact[output]).max()
        other = np.abs(theirs[output] - exact[output]).max()
        measured(f"{name} {output}: {error:.2e} from float64, {library} {other:.2e}")
        limit = tolerances.STAGES_FLOAT64 * np.abs(exact[output]).max()
        assert error <= limit
        assert error <= max(tolerances.ACCURACY_LARGEST * other, accuracy.FLOOR)
        assert other <= tolerances.ACCURACY_LARGEST * limit


@pytest.mark.parametrize("name", ["keras_made.keras", "keras_task.keras", "model.keras"])
def test_npbert_reads_the_archives(work, built, config, name):
    model = BertBackbone.from_preset(work / name)
    assert model.config == config
    for path, tensor in model.weights():
        np.testing.assert_array_equal(bits(tensor), bits(built.weights[path]), path)
    other = BertBackbone(**built.case.config)
    other.load_weights(work / name)
    for path, tensor in other.weights():
        np.testing.assert_array_equal(bits(tensor), bits(built.weights[path]), path)
