"""``BertBackbone.presets`` and ``from_preset``, from names and from directories."""

from __future__ import annotations

import json
import sys

import goldens
import numpy as np
import pytest
import tolerances
from goldens import PRESETS

import npbert
from npbert import Backbone, BertBackbone
from npbert.config import BertConfig
from npbert.errors import ConfigError, DependencyError, UnsupportedModelError
from npbert.parity.bundle import load_bundle
from npbert.presets import BUILT_IN
from npbert.weights import weight_shapes

PARAMETERS = {  # keras_hub/src/models/bert/bert_presets.py
    "bert_tiny_en_uncased": 4_385_920,
    "bert_small_en_uncased": 28_763_648,
    "bert_medium_en_uncased": 41_373_184,
    "bert_base_en_uncased": 109_482_240,
    "bert_base_en": 108_310_272,
    "bert_base_zh": 102_267_648,
    "bert_base_multi": 177_853_440,
    "bert_large_en_uncased": 335_141_888,
    "bert_large_en": 333_579_264,
    "bert_tiny_en_uncased_sst2": 4_385_920,
}


def test_the_presets_have_kerass_parameters():
    assert list(BUILT_IN) == list(PARAMETERS)
    for name, parameters in PARAMETERS.items():
        shapes = weight_shapes(BUILT_IN[name].config)
        assert sum(int(np.prod(shape)) for shape in shapes.values()) == parameters


def test_presets_are_kerass():
    presets = BertBackbone.presets
    assert set(PARAMETERS) <= set(presets.keys())
    for name, parameters in PARAMETERS.items():
        assert presets[name]["metadata"]["params"] == parameters
        assert presets[name]["kaggle_handle"].startswith(f"kaggle://keras/bert/keras/{name}/")
    assert Backbone.presets.keys() == presets.keys()


@pytest.mark.parametrize("base", [Backbone, BertBackbone, npbert.models.BertBackbone])
def test_from_preset_gives_the_class_the_preset_needs(base):
    model = base.from_preset(PRESETS / "keras_tiny")
    assert type(model) is BertBackbone
    assert model.path == PRESETS / "keras_tiny"


def test_from_preset_without_weights():
    model = Backbone.from_preset("bert_tiny_en_uncased", load_weights=False, dropout=0.0)
    assert model.count_params() == PARAMETERS["bert_tiny_en_uncased"]
    assert model.config.dropout == 0.0
    assert model.path is None
    assert np.abs(model.token_embedding.embeddings).max() <= 0.04


def test_from_preset_overrides_and_settings():
    model = Backbone.from_preset(
        PRESETS / "hf_tiny", activation="gelu_approximate", num_threads=2, name="other"
    )
    assert (model.activation, model.num_threads, model.name) == ("gelu_approximate", 2, "other")


def test_from_preset_refuses_an_unknown_override():
    with pytest.raises(ConfigError, match="unknown override 'droput'") as error:
        Backbone.from_preset("bert_tiny_en_uncased", load_weights=False, droput=0.0)
    assert error.value.fix == "did you mean 'dropout'?"


def test_from_preset_of_another_architecture_names_it(tmp_path):
    config = json.loads((PRESETS / "keras_tiny" / "config.json").read_text())
    config["registered_name"] = "keras_hub>RobertaBackbone"
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModelError, match="holds a RobertaBackbone, not a BertBackbone"):
        Backbone.from_preset(tmp_path)


def test_from_preset_downloads_with_kagglehub(monkeypatch, tmp_path):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # it cannot be imported
    with pytest.raises(DependencyError, match="models from Kaggle need the package kagglehub"):
        Backbone.from_preset("bert_base_en")


# -- what the loaded models compute ----------------------------------------------------------------

LOADED = {  # directory -> the bundle beside it, and what to change
    "keras_tiny": ("keras_tiny", {}),
    "keras_tiny_dropout_zero": ("keras_tiny_dropout_zero", {}),
    "hf_tiny": ("hf_tiny", {}),
    "hf_tiny_prefixed": ("hf_tiny_prefixed", {}),
    "hf_tiny in Keras": ("hf_tiny_in_keras", {"activation": "gelu_approximate"}),
}


@pytest.mark.kernel
@pytest.mark.parametrize("which", LOADED)
def test_a_loaded_directory_gives_the_numbers_of_its_writer(which):
    name, overrides = LOADED[which]
    directory = which.split()[0]
    bundle = load_bundle(PRESETS / name)
    model = BertBackbone.from_preset(PRESETS / directory, **overrides)
    assert model.config == BertConfig(**bundle.meta["config"])
    outputs = model(bundle.group("inputs"))
    sources = {key.split(".")[0] for key in bundle.arrays} & {
        "tf64",
        "tf32",
        "jax32",
        "hf64",
        "hf32",
    }
    assert len(sources) >= 2
    for source in sources:
        rtol = tolerances.STAGES_FLOAT64 if "64" in source else tolerances.STAGES_FLOAT32
        theirs = bundle.group(source)
        assert outputs.keys() == theirs.keys()  # a file without a pooler: no pooled_output
        assert goldens.first_divergence(goldens.OUTPUTS, outputs, theirs, rtol=rtol) is None


@pytest.mark.kernel
def test_without_a_pooler():
    model = BertBackbone.from_preset(PRESETS / "hf_tiny_prefixed")
    batch = load_bundle(PRESETS / "hf_tiny_prefixed").group("inputs")
    shapes = weight_shapes(model.config, pooler=False)
    assert [name for name, _ in model.weights()] == list(shapes)
    assert model.count_params() == sum(int(np.prod(shape)) for shape in shapes.values())
    assert list(model.predict(batch, 2, show_progress_bar=False)) == ["sequence_output"]
    outputs, stages = model.run_with_cache(batch)
    assert list(outputs) == ["sequence_output"]
    assert "pooled_output" not in stages
    empty = model({name: array[:0] for name, array in batch.items()})
    assert list(empty) == ["sequence_output"]
