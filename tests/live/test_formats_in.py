"""Every way in which Keras Hub and transformers store a BERT: npbert reads what they mean by it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import accuracy
import numpy as np
import pytest
import tolerances
from goldens import OUTPUTS, bits
from live import drawn
from live.formats_in_worker import (
    HUGGING_FACE_CASE,
    HUGGING_FACE_FORMATS,
    KERAS_CASE,
    KERAS_FORMATS,
    LAYOUTS,
    LEGACY,
    NO_POOLER,
    REFUSED,
)
from live.peers import ROOT, TIMEOUT, load

from npbert import BertBackbone
from npbert.errors import UnsupportedModelError, WeightError
from npbert.presets.directory import read_config, read_weights
from npbert.weights import keras_h5, weight_shapes
from npbert.weights.names import tensors

pytestmark = pytest.mark.live


def _run(kind: str, work: Path, seed: int) -> Path:
    """The worker's folder, once it has ended well."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
    }
    command = [sys.executable, "-m", "live.formats_in_worker", kind, str(work), str(seed)]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return work


@pytest.fixture(scope="module")
def keras(tmp_path_factory, seed):
    return _run("keras", tmp_path_factory.mktemp("keras"), seed)


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory, seed):
    return _run("hugging_face", tmp_path_factory.mktemp("hugging_face"), seed)


@pytest.fixture(scope="module")
def keras_case(seed):
    return drawn.build(drawn.keras_cases(seed)[KERAS_CASE])


def _inputs(name, seed):
    if name in KERAS_FORMATS:
        return drawn.build(drawn.keras_cases(seed)[KERAS_CASE]).inputs
    return drawn.build(drawn.hugging_face_cases(seed)[HUGGING_FACE_CASE]).inputs


def _model(work, name):
    with contextlib.ExitStack() as context:
        if name == "int8":
            context.enter_context(pytest.warns(UserWarning, match="holds int8 weights"))
        return BertBackbone.from_preset(work / name)


def _meant(work, name, config):
    """The weights as the library has them, under npbert's names and in its shapes."""
    stored = load(work, f"{name}@formats")
    theirs = {k.removeprefix("weights."): a for k, a in stored.items() if k.startswith("weights.")}
    if name in KERAS_FORMATS:
        return theirs
    wanted = tensors(config, pooler=name not in NO_POOLER)
    return {t.name: t.from_hugging_face(theirs[t.hugging_face]) for t in wanted}


@pytest.mark.parametrize("name", [*KERAS_FORMATS, *HUGGING_FACE_FORMATS])
def test_weights_and_outputs(request, name, seed, measured):
    work = request.getfixturevalue("keras" if name in KERAS_FORMATS else "hugging_face")
    model = _model(work, name)
    meant, found = _meant(work, name, model.config), dict(model.weights())
    assert found.keys() == meant.keys()
    for path, tensor in meant.items():
        np.testing.assert_array_equal(bits(found[path]), bits(np.float32(tensor)), path)
    theirs, outputs = load(work, f"{name}@formats"), model(_inputs(name, seed))
    assert list(outputs) == list(OUTPUTS[: 1 + (name not in NO_POOLER)])
    for output, array in outputs.items():
        exact = theirs[f"float64.{output}"]
        error = np.abs(array - exact).max()
        peer = np.abs(theirs[f"float32.{output}"] - exact).max()
        measured(f"{name} {output}: {error:.2e} from float64, its library {peer:.2e}")
        assert error <= tolerances.STAGES_FLOAT64 * np.abs(exact).max()
        assert error <= max(tolerances.ACCURACY_LARGEST * peer, accuracy.FLOOR)


@pytest.mark.parametrize("name", ["sharded", "hf_sharded", "hf_sharded_classifier"])
def test_the_libraries_made_several_files(keras, hugging_face, name):
    work, index = (hugging_face, "model.safetensors.index.json")
    if name == "sharded":
        work, index = keras, "model.weights.json"
    places = json.loads((work / name / index).read_text())["weight_map"].values()
    files = {file for place in places for file in ([place] if isinstance(place, str) else place)}
    assert len(files) > 2
    if name == "sharded":
        assert {type(place) for place in places} == {str, list}


@pytest.mark.parametrize("name", ["float16", "bfloat16", "sharded"])
def test_fewer_layers_when_that_is_asked(keras, name):
    whole = dict(BertBackbone.from_preset(keras / name).weights())
    model = BertBackbone.from_preset(keras / name, num_layers=1)
    found = dict(model.weights())
    assert list(found) == list(weight_shapes(model.config))
    for path, array in found.items():
        np.testing.assert_array_equal(bits(array), bits(whole[path]), path)
    with pytest.raises(WeightError, match="in the file without a place"):
        read_weights(keras / name, "keras", model.config)


@pytest.mark.parametrize("mode", REFUSED)
def test_other_quantisations_are_refused_by_name(keras, mode):
    with pytest.raises(UnsupportedModelError, match=rf"^{mode} weights are not read"):
        BertBackbone.from_preset(keras / mode)


@pytest.mark.parametrize("name", LEGACY)
def test_legacy_files(keras, keras_case, name):
    config, _, _ = _config_of(keras)
    found = keras_h5.load(keras / f"{name}.h5", config)
    assert found.keys() == keras_case.weights.keys()
    for path, array in keras_case.weights.items():
        np.testing.assert_array_equal(bits(found[path]), bits(array), path)


@pytest.mark.parametrize("name", LAYOUTS)
def test_older_layouts_load_where_they_load_in_keras(keras, keras_case, name):
    in_keras = json.loads((keras / "layouts.json").read_text())[name]
    config, _, _ = _config_of(keras)
    path = keras / f"{name}.weights.h5"
    assert in_keras == (name != "transformer_layers")
    if not in_keras:
        with pytest.raises(WeightError, match="tensors are missing"):
            keras_h5.load(path, config)
        return
    found = keras_h5.load(path, config)
    for key, array in keras_case.weights.items():
        np.testing.assert_array_equal(bits(found[key]), bits(array), key)


def _config_of(keras):
    kind, config, dtype = read_config(keras / "sharded", {})
    return config, kind, dtype
