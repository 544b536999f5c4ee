"""Models on Kaggle through kagglehub itself, and what Keras Hub makes of the same cache.

A server on this machine stands for Kaggle, with presets that Keras Hub wrote. Every load is a
process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from goldens import PRESETS
from presets.hub_client import ROOT, Loaded, load
from presets.hub_server import Server
from presets.model_folders import change, copy
from weights.model_files import random_arrays, write_h5

from npbert.presets import load_preset

pytestmark = pytest.mark.live

NAME = "keras/bert/keras/bert_tiny_en_uncased"
BUILT_IN = "bert_tiny_en_uncased"  # version 3 of it
HANDLE = f"kaggle://{NAME}/3"


class Machine:
    """A cache, a server with one model, and loads from it."""

    def __init__(self, server: Server, work: Path) -> None:
        self.server, self.hub = server, server.hub
        self.model = copy("keras_tiny", work)
        self.hub.models[f"{NAME}/3"] = self.model
        self.cache = work / "cache"

    @property
    def settings(self) -> dict[str, str]:
        return {"KAGGLE_AT": self.hub.url, "KAGGLEHUB_CACHE": str(self.cache)}

    def load(self, handle: str = HANDLE, *options: str) -> Loaded:
        return load(handle, *options, **self.settings)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Server() as server:
        yield Machine(server, tmp_path)


@pytest.fixture(scope="module")
def values() -> float:
    arrays = (load_preset(PRESETS / "keras_tiny").weights or {}).values()
    return float(sum(abs(array).sum(dtype="float64") for array in arrays))


@pytest.mark.parametrize("handle", [BUILT_IN, HANDLE, f"kaggle://{NAME}"])
def test_downloaded_once(machine: Machine, values: float, handle: str):
    first = machine.load(handle)
    assert (first.error, first.kind, first.values) == ("", "keras", values), first.text
    assert first.path == machine.cache / "models" / NAME / "3"
    asked = list(dict.fromkeys(line.split()[1] for line in machine.hub.log))
    expected = ["config.json", "metadata.json", "tokenizer.json"]
    assert [name for name in asked if name != "GetModelInstance"][:3] == expected
    assert asked[-1] == "model.weights.h5"
    machine.hub.log.clear()
    machine.server.stop()
    second = machine.load(handle, "offline")
    assert second[:4] == first[:4]
    assert (second.warnings, second.modules) == ([], [])


def test_another_architecture_is_refused_by_its_config(machine: Machine):
    raw = json.loads((machine.model / "config.json").read_text())
    raw["registered_name"] = "keras_hub>RobertaBackbone"
    (machine.model / "config.json").write_text(json.dumps(raw))
    loaded = machine.load()
    assert loaded.error == "UnsupportedModelError"
    assert "holds a RobertaBackbone, not a BertBackbone" in loaded.text
    assert {line.split()[1] for line in machine.hub.log} == {"config.json"}


def test_a_break_leaves_a_part_that_is_resumed(machine: Machine):
    change(machine.model, {"vocabulary_size": 150_000})  # the client writes pieces of 1 MiB
    config = load_preset(machine.model, load_weights=False).config
    write_h5(machine.model / "model.weights.h5", random_arrays(config), config)
    machine.hub.cuts["model.weights.h5"] = 1
    broken = machine.load()
    assert broken.error == "ModelFileError"
    assert "the download of model.weights.h5" in broken.text
    assert (broken.path.name, machine.load(HANDLE, "offline").error) == ("", "ModelFileError")
    assert machine.load().error == ""
    half = (machine.model / "model.weights.h5").stat().st_size // 2
    assert machine.hub.log[-1] == f"GET model.weights.h5 from {half // 2**20 * 2**20}"


@pytest.mark.parametrize("file", ["config.json", "model.weights.h5"])
def test_a_break_that_the_client_does_not_see(machine: Machine, values: float, file: str):
    machine.hub.silent_cuts[file] = 1
    broken = machine.load()
    assert broken.error == "ModelFileError"
    assert f"the download of {file}" in broken.text
    assert not (machine.cache / "models" / NAME / "3" / file).exists()
    assert machine.load().values == values


def test_a_slow_server(machine: Machine, values: float):
    machine.hub.slow = 0.2
    assert machine.load().values == values


@pytest.mark.parametrize(
    ("handle", "prepare", "what"),
    [
        ("kaggle://a/b/keras/c/1", lambda hub: None, "Kaggle has no config.json for"),
        ("kaggle://a/b/keras/c", lambda hub: None, "Kaggle has no config.json for"),
        (HANDLE, lambda hub: hub.gated.add(f"{NAME}/3"), "Kaggle does not let this account read"),
        (HANDLE, lambda hub: hub.status.update({"config.json": 500}), "answered with an error"),
    ],
)
def test_an_answer_that_is_no_file(machine: Machine, handle: str, prepare, what: str):
    prepare(machine.hub)
    assert what in machine.load(handle).text


def test_no_connection_and_not_on_disk(machine: Machine):
    machine.server.stop()
    loaded = machine.load()
    assert loaded.error == "UnreachableError"
    assert f"Kaggle does not answer, and config.json of '{HANDLE}' is not on disk" in loaded.text


def test_a_task_comes_with_all_its_files(machine: Machine):
    for name in ("preprocessor.json", "task.json"):
        (machine.model / name).write_text("{}")
    shutil.copy(machine.model / "model.weights.h5", machine.model / "task.weights.h5")
    first = machine.load()
    assert {path.name for path in machine.model.iterdir() if path.is_file()} <= {
        path.name for path in first.path.iterdir()
    }
    machine.server.stop()
    assert machine.load(HANDLE, "offline").warnings == []


def test_other_frameworks_files(machine: Machine, tmp_path: Path):
    machine.hub.models[f"{NAME}/3"] = change(copy("hf_tiny", tmp_path), {})
    assert machine.load().kind == "hugging_face"


_KERAS_HUB = f"""
from kagglesdk import kaggle_env
import os
kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = os.environ["KAGGLE_AT"]
from keras_hub.models import BertBackbone
model = BertBackbone.from_preset({HANDLE!r})
print(model.count_params())
"""


def test_keras_hub_and_npbert_share_a_cache(machine: Machine, values: float):
    """Keras Hub takes what npbert fetched, without a question; and the other way round."""
    environment = {
        **os.environ,
        **machine.settings,
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "*",
    }

    def keras_hub() -> int:
        done = subprocess.run(
            [sys.executable, "-c", _KERAS_HUB], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return int(done.stdout.split()[-1])

    machine.load()
    machine.hub.log.clear()
    preset = load_preset(PRESETS / "keras_tiny")
    count = sum(array.size for array in (preset.weights or {}).values())
    assert keras_hub() == count
    assert machine.hub.asked_for("model.weights.h5", "config.json") == []
    machine.cache = machine.cache.with_name("theirs")
    environment |= machine.settings
    assert keras_hub() == count
    machine.hub.log.clear()
    assert machine.load().values == values
    assert machine.hub.asked_for("model.weights.h5", "config.json") == []
