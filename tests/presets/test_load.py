"""`load_preset`: what a name or a path means."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from npbert.config import BertConfig
from npbert.errors import ConfigError, InputTypeError, ModelFileError, WeightError
from npbert.presets import BUILT_IN, load_preset

from .model_folders import PRESETS, change, copy

NAMES = ["keras_tiny", "keras_tiny_dropout_zero", "hf_tiny", "hf_tiny_prefixed"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_directory_gives_the_config_and_weights_that_went_in(name: str, kind: type):
    preset = load_preset(kind(PRESETS / name))
    bundle = json.loads((PRESETS / f"{name}.json").read_text())
    assert preset.config == BertConfig(**bundle["config"])
    assert preset.kind == ("keras" if name.startswith("keras") else "hugging_face")
    assert (preset.name, preset.path) == (name, PRESETS / name)
    assert preset.dtype == "float32"
    stored = load_file(PRESETS / f"{name}.safetensors")
    assert preset.weights is not None
    for key, array in preset.weights.items():
        np.testing.assert_array_equal(array, stored[f"weights.{key}"])
    lacking = {k for k in stored if k.startswith("weights.")} - {
        f"weights.{key}" for key in preset.weights
    }
    poolerless = {"weights.pooled_dense/kernel", "weights.pooled_dense/bias"}
    assert lacking == (poolerless if name == "hf_tiny_prefixed" else set())


def test_a_model_in_a_folder_that_modules_json_names(tmp_path: Path):
    """As sentence-transformers wrote it in its first years."""
    copy("hf_tiny", tmp_path / "old").rename(tmp_path / "old" / "0_Transformer")
    modules = [{"type": "sentence_transformers.models.Transformer", "path": "0_Transformer"}]
    (tmp_path / "old" / "modules.json").write_text(json.dumps(modules))
    preset = load_preset(tmp_path / "old")
    assert (preset.name, preset.path) == ("old", tmp_path / "old" / "0_Transformer")
    assert preset.weights is not None


def test_without_weights_no_weights_file_is_needed(tmp_path: Path):
    folder = copy("keras_tiny", tmp_path)
    (folder / "model.weights.h5").unlink()
    preset = load_preset(folder, load_weights=False)
    assert preset.weights is None
    assert preset.config.num_layers == 2


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_name_needs_no_files_without_weights(name: str):
    preset = load_preset(name, load_weights=False)
    assert (preset.kind, preset.name, preset.path, preset.weights) == ("built-in", name, None, None)
    assert preset.config == BUILT_IN[name].config


def test_a_built_in_name_wins_over_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copy("keras_tiny", tmp_path).rename(tmp_path / "bert_base_en")
    monkeypatch.chdir(tmp_path)
    assert load_preset("bert_base_en", load_weights=False).kind == "built-in"
    assert load_preset("./bert_base_en").kind == "keras"
    assert load_preset(Path.cwd() / "bert_base_en").name == "bert_base_en"


def test_a_name_on_hugging_face_without_its_scheme(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match="no model at 'org/tiny'") as error:
        load_preset("org/tiny")
    assert error.value.fix == "for the model on Hugging Face, write 'hf://org/tiny'"
    (tmp_path / "org" / "tiny").mkdir(parents=True)
    for source in ("org/tiny", "./org/tiny", "a/b/c"):
        with pytest.raises(ModelFileError, match=r"fix:      give the directory that holds"):
            load_preset(source)


def test_overrides_replace_fields():
    preset = load_preset(
        "bert_base_en", load_weights=False, overrides={"dropout": 0.0, "num_layers": 3}
    )
    assert (preset.config.dropout, preset.config.num_layers) == (0.0, 3)
    preset = load_preset(PRESETS / "hf_tiny", overrides={"activation": "gelu_approximate"})
    assert preset.config.activation == "gelu_approximate"


@pytest.mark.parametrize("source", ["bert_base_en", PRESETS / "hf_tiny"])
def test_an_unknown_override(source: str | Path):
    message = r"unknown override 'num_layer'.(.|\n)*did you mean 'num_layers'\?"
    with pytest.raises(ConfigError, match=message):
        load_preset(source, load_weights=False, overrides={"num_layer": 3})


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
def test_a_bad_override_is_named(name: str):
    message = r"num_heads must be an int(.|\n)*where:    override 'num_heads'"
    with pytest.raises(ConfigError, match=message):
        load_preset(PRESETS / name, overrides={"num_heads": "3"})


def test_fewer_layers_than_the_file_has_is_an_error_unless_they_were_chosen(tmp_path: Path):
    folder = change(copy("keras_tiny", tmp_path), {"num_layers": 1})
    with pytest.raises(WeightError, match="16 tensors are in the file without a place"):
        load_preset(folder)
    chosen = load_preset(PRESETS / "keras_tiny", overrides={"num_layers": 1})
    assert chosen.weights is not None
    assert not any(name.startswith("transformer_layer_1") for name in chosen.weights)


@pytest.mark.parametrize("preset", [None, 5, "", b"bert_base_en", ["bert_base_en"]])
def test_neither_name_nor_path(preset: object):
    with pytest.raises(InputTypeError, match="a preset must be a name or a path"):
        load_preset(preset)  # type: ignore[arg-type]


def test_every_load_gives_new_arrays():
    first, second = load_preset(PRESETS / "hf_tiny"), load_preset(PRESETS / "hf_tiny")
    assert first.weights is not None
    assert second.weights is not None
    first.weights["pooled_dense/bias"][...] = 9
    assert not np.any(second.weights["pooled_dense/bias"] == 9)
