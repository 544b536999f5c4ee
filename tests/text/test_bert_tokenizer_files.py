"""Presets that Keras Hub saved, and those that it can load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ConfigError, ModelFileError
from npbert.presets import hubs
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.keras_files import VOCABULARY as VOCABULARY_FILE
from npbert.text.tokenizer import load_tokenizer

from .keras_tokens import change_json, saved_files, tokenizer, write_saved


def test_a_preset_that_keras_hub_saved(tmp_path: Path) -> None:
    ours = BertTokenizer.from_preset(write_saved(tmp_path, saved_files()))
    assert ours.settings.lowercase
    assert ours.settings.special_tokens == ("fox",)
    assert ours("THE fox").tolist() == [5, 8]
    assert "\u3000fox" in ours.get_vocabulary()
    names = ("tokenizer.json", VOCABULARY_FILE)
    files = {name: content.decode() for name, content in ours.preset_files().items()}
    assert files == {name: saved_files()[name] for name in names}


def test_settings_replace_those_of_the_preset(tmp_path: Path) -> None:
    write_saved(tmp_path, saved_files())
    assert not BertTokenizer.from_preset(str(tmp_path), lowercase=False).settings.lowercase
    with pytest.raises(ConfigError, match="unknown argument 'upper'"):
        BertTokenizer.from_preset(tmp_path, upper=True)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"upper": True}, "unknown argument 'upper'"),
        ({"lowercase": "yes"}, "lowercase must be True or False"),
        ({"dtype": {"config": {"name": "float32"}}}, "dtype is not one"),
        ({"dtype": {"config": 3}}, "dtype is not one"),
        ({"oov_token": None}, "oov_token must be a str"),
    ],
)
def test_wrong_settings_in_the_file(tmp_path: Path, fields: dict[str, Any], what: str) -> None:
    write_saved(tmp_path, saved_files())
    change_json(tmp_path / "tokenizer.json", **fields)
    with pytest.raises(ConfigError, match=rf"{what}[\s\S]*tokenizer\.json"):
        BertTokenizer.from_preset(tmp_path)


def test_not_over_the_tokenizer_of_another_library(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ConfigError, match="holds a model in another format"):
        tokenizer().save_to_preset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize("name", ["tokenizer.json", VOCABULARY_FILE])
def test_a_file_is_missing(tmp_path: Path, name: str) -> None:
    write_saved(tmp_path, saved_files())
    (tmp_path / name).unlink()
    with pytest.raises(ModelFileError, match=rf"does not exist[\s\S]*{Path(name).name}"):
        BertTokenizer.from_preset(tmp_path)


def test_no_such_preset(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no model at"):
        BertTokenizer.from_preset(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lowercase": True, "strip_accents": True, "split_on_cjk": False, "name": "mine"},
        {"split": False, "dtype": "string", "sequence_length": 7, "suffix_indicator": "@"},
        {"special_tokens": ["fox"], "special_tokens_in_strings": True, "oov_token": "the"},
    ],
)
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, settings: dict[str, Any]) -> None:
    ours = tokenizer(**settings)
    ours.save_to_preset(tmp_path)
    again = BertTokenizer.from_preset(tmp_path)
    assert again.settings == ours.settings
    assert again.get_config() == ours.get_config()
    assert again.get_vocabulary() == ours.get_vocabulary()


def test_load_tokenizer(tmp_path: Path) -> None:
    found = load_tokenizer(write_saved(tmp_path, saved_files()), "keras")
    assert isinstance(found, BertTokenizer)


@pytest.mark.parametrize(
    ("preset", "handle"),
    [
        ("bert_base_en", "kaggle://keras/bert/keras/bert_base_en/3"),
        ("HF://org/model", "hf://org/model"),
    ],
)
def test_names_and_handles_are_fetched_without_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, handle: str
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def fetch(handle: str, **settings: Any) -> Path:
        asked.append((handle, settings))
        return write_saved(tmp_path, saved_files())

    monkeypatch.setattr(hubs, "fetch", fetch)
    assert BertTokenizer.from_preset(preset).vocabulary_size() > 20
    assert asked == [(handle, {"load_weights": False})]


def test_a_directory_may_have_the_name_of_a_preset(tmp_path: Path) -> None:
    write_saved(tmp_path / "bert_base_en", saved_files())
    assert BertTokenizer.from_preset(tmp_path / "bert_base_en").settings.lowercase
