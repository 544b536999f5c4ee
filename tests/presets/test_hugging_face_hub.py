"""Models on Hugging Face: huggingface_hub itself, against a server on this machine.

Every load is a process of its own, as the client reads its settings when it is imported.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.numpy import load_file
from text.tiny_model import write_tiny_model
from weights.model_files import (
    hugging_face,
    random_arrays,
    shard_safetensors,
    write_safetensors,
)

from npbert.errors import ModelFileError
from npbert.presets import hugging_face_hub, load_preset

from . import hub_client
from .hub_server import Hub, Server, git_hash
from .model_folders import PRESETS, change, copy

NAME = "org/tiny"
HANDLE = f"hf://{NAME}"


class Machine:
    """A cache, a server with one model, and loads from it."""

    def __init__(self, server: Server, work: Path) -> None:
        self.server, self.hub = server, server.hub
        self.model = write_tiny_model(work / "tiny")
        (self.model / "pytorch_model.bin").write_bytes(b"\x80\x04pickle")
        self.hub.models[NAME] = self.model
        self.cache = work / "cache"

    def load(self, *options: str, handle: str = HANDLE, **environment: str) -> hub_client.Loaded:
        settings = {"HF_ENDPOINT": self.hub.url, "HF_HUB_CACHE": str(self.cache), **environment}
        return hub_client.load(handle, *options, **settings)

    def shard(self) -> None:
        """The model's weights in two files, as transformers does it."""
        whole = self.model / "model.safetensors"
        shard_safetensors(load_file(whole), whole.with_suffix(".safetensors.index.json"), 2)
        whole.unlink()

    def grow(self) -> None:
        """Make the weights larger than the pieces of 10 MB that the client writes."""
        change(self.model, {"vocab_size": 300_000})
        config = load_preset(self.model, load_weights=False).config
        named = hugging_face(random_arrays(config), config)
        write_safetensors(self.model / "model.safetensors", named)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Server() as server:
        yield Machine(server, tmp_path)


def _values(folder: Path) -> float:
    arrays = (load_preset(folder).weights or {}).values()
    return float(sum(abs(array).sum(dtype="float64") for array in arrays))


def _asked(hub: Hub) -> list[str]:
    """The files in the order of their first request."""
    return list(dict.fromkeys(line.split()[1] for line in hub.log))


def test_downloaded_once(machine: Machine):
    first = machine.load()
    assert (first.error, first.kind) == ("", "hugging_face")
    assert first.values == _values(machine.model)
    assert first.path == machine.cache / "models--org--tiny" / "snapshots" / machine.hub.commit
    asked = _asked(machine.hub)
    assert (asked[0], asked[-1]) == ("config.json", "model.safetensors")
    assert machine.hub.asked_for(".bin", ".index.json") == []
    machine.hub.log.clear()
    machine.server.stop()
    second = machine.load("offline")
    assert second[:4] == first[:4]
    assert second.warnings == []
    assert machine.load(HF_HUB_OFFLINE="1")[:4] == first[:4]


def test_several_files_of_weights(machine: Machine):
    whole = _values(machine.model)
    machine.shard()
    first = machine.load()
    assert (first.error, first.values) == ("", whole)
    fetched = [line for line in machine.hub.asked_for(".safetensors") if line.startswith("GET")]
    assert len(fetched) == 2
    assert machine.load("offline")[:4] == first[:4]


def test_a_model_that_keras_hub_wrote(machine: Machine, tmp_path: Path):
    machine.hub.models[NAME] = copy("keras_tiny", tmp_path)
    first = machine.load()
    assert (first.error, first.kind) == ("", "keras")
    assert first.values == _values(PRESETS / "keras_tiny")
    assert machine.load("offline")[:4] == first[:4]


def test_without_weights(machine: Machine):
    assert machine.load("config").error == ""
    assert machine.hub.asked_for(".safetensors") == []


@pytest.mark.parametrize("model_type", ["roberta", "distilbert", "modernbert"])
def test_another_architecture_is_refused_by_its_config(machine: Machine, model_type: str):
    change(machine.model, {"model_type": model_type})
    loaded = machine.load()
    assert loaded.error == "UnsupportedModelError"
    assert model_type in loaded.text
    assert set(_asked(machine.hub)) == {"config.json"}


def test_a_break_is_mended_by_the_client(machine: Machine):
    machine.grow()
    machine.hub.cuts["model.safetensors"] = 1
    assert machine.load().values == _values(machine.model)
    assert machine.hub.log[-1] == f"GET model.safetensors from {10 * 2**20}"


def test_a_part_is_never_taken_for_the_whole(machine: Machine):
    machine.hub.silent_cuts["model.safetensors"] = 1
    broken = machine.load()
    assert broken.error == "ModelFileError"
    assert f"the download of model.safetensors of '{HANDLE}' did not come to its end" in broken.text
    blobs = machine.cache / "models--org--tiny" / "blobs"
    whole = [path.name for path in blobs.iterdir() if not path.name.endswith(".incomplete")]
    small = list(machine.model.rglob("*.json"))
    assert sorted(whole) == sorted({git_hash(path) for path in small})
    assert machine.load("offline").error == "ModelFileError"  # the weights are not there
    assert machine.load().values == _values(machine.model)


def test_a_slow_server(machine: Machine):
    machine.hub.slow = 0.2
    assert machine.load().values == _values(machine.model)


@pytest.mark.parametrize(
    ("handle", "prepare", "what"),
    [
        ("hf://org/missing", lambda hub: None, "Hugging Face has no config.json for"),
        (HANDLE, lambda hub: hub.gated.add(NAME), "Hugging Face does not let this account read"),
        (HANDLE, lambda hub: hub.status.update({"config.json": 410}), "answered with an error"),
    ],
)
def test_an_answer_that_is_no_file(machine: Machine, handle: str, prepare, what: str):
    prepare(machine.hub)
    loaded = machine.load(handle=handle)
    assert loaded.error in ("ModelFileError", "UnreachableError")
    assert what in loaded.text
    assert f"where:    {machine.hub.url}/{handle.removeprefix('hf://')}" in loaded.text


def test_a_model_without_a_config(machine: Machine):
    (machine.model / "config.json").unlink()
    assert f"Hugging Face has no config.json for '{HANDLE}'" in machine.load().text


def test_offline_and_not_on_disk(machine: Machine):
    loaded = machine.load(HF_HUB_OFFLINE="1")
    assert loaded.error == "UnreachableError"
    assert f"HF_HUB_OFFLINE is set, and config.json of '{HANDLE}' is not on disk" in loaded.text
    assert f"'npbert download {HANDLE}'" in loaded.text
    assert machine.hub.log == []


def test_a_cache_that_another_program_filled(machine: Machine):
    first = machine.load()
    shutil.rmtree(machine.cache / "models--org--tiny" / ".no_exist")
    loaded = machine.load(HF_HUB_OFFLINE="1")
    assert loaded[:4] == first[:4]
    unknown = ["vocab.txt", "special_tokens_map.json", "added_tokens.json"]
    unknown += ["config_sentence_transformers.json", "2_Normalize/config.json"]
    assert f"it is not known whether {HANDLE} has {', '.join(unknown)}:" in loaded.warnings[0]
    assert machine.load().warnings == []


def test_a_newer_commit_is_taken_when_asked_for(machine: Machine):
    first = machine.load()
    machine.hub.commit = "f" * 40
    assert machine.load().path == first.path


@pytest.mark.parametrize("handle", ["hf://a/b/c", "hf://", "hf://a/..", "hf://a/b@main"])
def test_a_handle_that_is_none(machine: Machine, handle: str):
    loaded = machine.load(handle=handle)
    assert loaded.error == "ConfigError"
    assert "this is not a handle of Hugging Face" in loaded.text
    assert machine.hub.log == []


def test_a_path_brings_no_code_for_networks(machine: Machine):
    loaded = machine.load("offline", handle=str(machine.model))
    assert loaded.modules == []
    assert loaded.values == _values(machine.model)
    assert "huggingface_hub" in machine.load().modules


# -- hashes ----------------------------------------------------------------------------------------


def test_hashes(machine: Machine):
    directory = machine.load().path
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert hugging_face_hub.check_hashes(directory) == len(files)
    for name in ("config.json", "model.safetensors"):
        blob = (directory / name).resolve()
        content = bytearray(blob.read_bytes())
        content[-3] ^= 1
        blob.write_bytes(content)
        with pytest.raises(ModelFileError, match=f"{name} in the cache is not the file") as error:
            hugging_face_hub.check_hashes(directory)
        assert error.value.where == blob
        assert error.value.expected == blob.name
        blob.unlink()
        assert machine.load().values == _values(machine.model)
    (directory / "left").symlink_to("f" * 40)  # to nothing, which is nobody's file
    assert hugging_face_hub.check_hashes(directory) == len(files)


def test_a_blob_that_is_a_link(machine: Machine, tmp_path: Path):
    """As where the client shares blobs between repositories, under names of its storage."""
    directory = machine.load().path
    blob = (directory / "model.safetensors").resolve()
    shared = blob.rename(tmp_path / ("a" * 64))
    blob.symlink_to(shared)
    assert hugging_face_hub.check_hashes(directory) > 0
    assert machine.load("offline").error == ""


def test_a_directory_without_links_has_no_hashes(tmp_path: Path):
    assert hugging_face_hub.check_hashes(copy("hf_tiny", tmp_path)) == 0
