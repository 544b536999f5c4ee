"""Which files of a model are fetched, and in what order; what a handle is."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
from text.tiny_model import CONFIG, write_dense, write_json, write_tiny_model

from npbert import Embedder
from npbert.errors import (
    ConfigError,
    ModelFileError,
    UnsafeModelError,
    UnsupportedModelError,
)
from npbert.presets import hubs, load_preset
from npbert.presets.hubs import ALONGSIDE, fetch, handle_of, on_disk, shard_names
from npbert.presets.registry import KERAS

from .fake_hub import HANDLE, KERAS_FILES, FakeHub, shard
from .model_folders import PRESETS, change, copy


def test_the_config_first_and_the_weights_last(hub: type[FakeHub]):
    assert fetch(HANDLE) == hub.cache
    assert hub.log == KERAS_FILES
    preset = load_preset(HANDLE)
    assert (preset.name, preset.kind, preset.path) == (HANDLE, "keras", hub.cache)
    assert preset.weights is not None
    assert hub.log == KERAS_FILES  # the second time, nothing is asked


def test_what_hugging_face_wrote_has_other_files(hub: type[FakeHub], tmp_path: Path):
    hub.has = copy("hf_tiny", tmp_path)
    fetch(HANDLE)
    assert hub.log == ["config.json", *ALONGSIDE["hugging_face"], "model.safetensors"]
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in hub.log)


def test_an_embedder_finds_all_it_reads(hub: type[FakeHub], tmp_path: Path):
    hub.has = write_tiny_model(tmp_path / "tiny", pooling="cls")
    kinds = {"": "Transformer", "pool": "Pooling", "2_Dense": "Dense", "3_Normalize": "Normalize"}
    modules = [{"path": path, "type": f"sentence_transformers.{k}"} for path, k in kinds.items()]
    write_json(hub.has / "modules.json", modules)
    (hub.has / "1_Pooling").rename(hub.has / "pool")
    write_dense(hub.has / "2_Dense", CONFIG.hidden_dim, 7)
    here, there = Embedder(hub.has), Embedder(HANDLE)
    assert there.info() | {"path": ""} == here.info() | {"path": ""}
    assert (there.pooling, there.normalize, there.max_seq_length) == ("cls", True, 11)
    assert there.get_embedding_dimension() == 7
    named = ["pool/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"]
    expected = [*ALONGSIDE["hugging_face"], *named, "3_Normalize/config.json"]
    assert hub.log == ["config.json", *expected, "model.safetensors"]


def test_modules_that_cannot_be_read_are_left_to_who_reads_them(hub: type[FakeHub], tmp_path: Path):
    hub.has = copy("hf_tiny", tmp_path)
    for content in ("[1, 2]", '[{"type": "T", "path": ""}, {"type": "P", "path": "../x"}]'):
        (hub.has / "modules.json").write_text(content)
        assert fetch(HANDLE, refresh=True) == hub.cache
        assert not any("/" in name for name in hub.log)


def test_a_keras_task_comes_whole(hub: type[FakeHub]):
    names = ("preprocessor.json", "task.json", "task.weights.h5")
    for name in names:
        (hub.has / name).write_text("{}")
    fetch(HANDLE)
    assert all((hub.cache / name).is_file() for name in names)


def test_without_weights(hub: type[FakeHub]):
    assert load_preset(HANDLE, load_weights=False).weights is None
    assert hub.log == KERAS_FILES[:-1]
    assert on_disk(HANDLE) is None


def test_on_disk(hub: type[FakeHub]):
    assert on_disk(HANDLE) is None
    fetch(HANDLE)
    hub.reachable = False
    assert on_disk(HANDLE) == hub.cache


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("hf_tiny", {"model_type": "roberta"}),
        ("hf_tiny", {"model_type": "distilbert"}),
        ("hf_tiny", {"model_type": "modernbert"}),
        ("hf_tiny", {"position_embedding_type": "relative_key"}),
    ],
)
def test_another_architecture_costs_its_config_alone(
    hub: type[FakeHub], tmp_path: Path, name: str, changed: dict[str, str]
):
    hub.has = change(copy(name, tmp_path), changed)
    with pytest.raises(UnsupportedModelError, match=next(iter(changed.values()))):
        load_preset(HANDLE)
    assert hub.log == ["config.json"]


def test_another_class_of_keras_hub_costs_its_config_alone(hub: type[FakeHub]):
    raw = json.loads((hub.has / "config.json").read_text())
    raw["registered_name"] = "keras_hub>RobertaBackbone"
    (hub.has / "config.json").write_text(json.dumps(raw))
    with pytest.raises(UnsupportedModelError, match="holds a RobertaBackbone"):
        load_preset(HANDLE)
    assert hub.log == ["config.json"]


def test_a_bad_override_is_found_before_the_weights(hub: type[FakeHub]):
    with pytest.raises(ConfigError, match="num_heads must be an int"):
        load_preset(HANDLE, overrides={"num_heads": 0})
    assert hub.log == ["config.json"]


def test_no_config(hub: type[FakeHub]):
    (hub.has / "config.json").unlink()
    with pytest.raises(ModelFileError, match="no config"):
        fetch(HANDLE)


def test_no_weights_but_a_pickle(hub: type[FakeHub]):
    (hub.has / "model.weights.h5").rename(hub.has / "pytorch_model.bin")
    with pytest.raises(ModelFileError) as error:
        fetch(HANDLE)
    assert str(error.value) == (
        f"'{HANDLE}' has no weights that npbert reads.\n"
        "  received: no model.weights.h5\n"
        "  expected: model.weights.h5, or model.weights.json and its shards\n"
        "  fix:      take a model that has them; pickles (pytorch_model.bin) are not read, "
        "convert them"
    )


# -- several files of weights ----------------------------------------------------------------------


def test_an_index_and_its_shards(hub: type[FakeHub]):
    shard(hub.has, {"/a": "m_0.weights.h5", "/b": ["m_1.weights.h5", "m_0.weights.h5"]})
    for name in ("m_0.weights.h5", "m_1.weights.h5", "m_2.weights.h5"):
        (hub.has / name).write_bytes(b"x")
    fetch(HANDLE)
    expected = ["model.weights.h5", "model.weights.json", "m_0.weights.h5", "m_1.weights.h5"]
    assert hub.log[-4:] == expected
    assert on_disk(HANDLE) == hub.cache
    (hub.cache / "m_1.weights.h5").unlink()
    assert on_disk(HANDLE) is None


def test_a_shard_that_is_missing(hub: type[FakeHub]):
    shard(hub.has, {"/a": "m_0.weights.h5"})
    with pytest.raises(ModelFileError, match=r"received: no m_0.weights.h5"):
        fetch(HANDLE)


@pytest.mark.parametrize(
    "name",
    ["../x.h5", "/etc/x.h5", "a/b.h5", "a\\b.h5", "..h5", "m.bin", "m.h5\n", "", 3, None, {}, [1]],
)
def test_a_name_that_is_noshard(hub: type[FakeHub], name: object):
    shard(hub.has, {"/a": name})
    with pytest.raises(UnsafeModelError, match=r"is not a file of weights beside it"):
        fetch(HANDLE)
    assert hub.log[-1] == "model.weights.json"


@pytest.mark.parametrize("content", ["{", "[]", '{"weight_map": {}, "weight_map": {}}'])
def test_an_index_that_is_damaged(tmp_path: Path, content: str):
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(ModelFileError):
        shard_names(tmp_path / "index.json")


def test_refresh_asks_for_everything_again(hub: type[FakeHub]):
    fetch(HANDLE)
    change(hub.has, {"dropout": 0.25})
    assert load_preset(HANDLE).config.dropout != 0.25
    assert hubs.download(HANDLE) == hub.cache
    assert hub.log == KERAS_FILES * 2
    with warnings.catch_warnings(action="error"):
        assert load_preset(HANDLE).config.dropout == 0.25


# -- handles ---------------------------------------------------------------------------------------


def test_names_and_schemes():
    assert handle_of("bert_base_en") == "kaggle://keras/bert/keras/bert_base_en/3"
    assert handle_of("HF://Org/Tiny") == "hf://Org/Tiny"
    assert handle_of("Kaggle://a/b/keras/c/1") == "kaggle://a/b/keras/c/1"
    for name, preset in KERAS.items():
        assert handle_of(name) == preset.handle


@pytest.mark.parametrize("scheme", ["gs", "modelscope", "https", "s3", ""])
def test_a_scheme_that_is_not_known(scheme: str):
    with pytest.raises(ConfigError) as error:
        load_preset(f"{scheme}://bucket/bert")
    assert str(error.value) == (
        f"there are no presets under {scheme}://.\n"
        f"  received: '{scheme}://bucket/bert'\n"
        "  expected: a built-in name such as 'bert_base_en', 'kaggle://ORG/MODEL/keras/VARIANT', "
        "'hf://ORG/MODEL', or a path\n"
        "  fix:      download the preset, and give the directory"
    )


def test_neither_a_name_nor_a_handle():
    with pytest.raises(ConfigError, match=r"neither the name(.|\n)*did you mean 'bert_base_en'"):
        hubs.download("bert_bse_en")
    with pytest.raises(ConfigError, match=r"'./dir' is neither(.|\n)*see 'npbert presets'"):
        hubs.download("./dir")


def test_a_path_stays_a_path(hub: type[FakeHub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copytree(PRESETS / "keras_tiny", tmp_path / "bert_base_en")
    monkeypatch.chdir(tmp_path)
    assert load_preset(Path("bert_base_en")).kind == "keras"
    with pytest.raises(ModelFileError, match="no model at"):
        load_preset(Path(HANDLE))
    assert hub.log == []
