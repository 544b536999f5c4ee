"""Keras Hub's JSON, read as data, and the same JSON written."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.errors import (
    ConfigError,
    ModelFileError,
    NpbertError,
    UnsafeModelError,
    UnsupportedModelError,
)
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.keras_files import (
    PREPROCESSOR,
    TOKENIZER,
    VOCABULARY,
    read_preprocessor,
    read_tokenizer,
    save_files,
    tokenizer_arguments,
    tokenizer_config,
)
from npbert.text.preprocessors import BertTextClassifierPreprocessor
from npbert.text.tokenizer_settings import TokenizerSettings

from .keras_tokens import change_json, golden, saved_files, write_saved

CLASSIFIER = ("BertTextClassifierPreprocessor", "BertPreprocessor")
SETTINGS = {
    "name": "bert_tokenizer",
    "dtype": "int32",
    "sequence_length": None,
    "lowercase": True,
    "strip_accents": False,
    "split": True,
    "suffix_indicator": "##",
    "oov_token": "[UNK]",
    "special_tokens": ["fox"],
    "special_tokens_in_strings": True,
}


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    return write_saved(tmp_path, saved_files())


def test_what_keras_saved(preset: Path) -> None:
    assert read_tokenizer(preset) == SETTINGS
    settings, of_tokenizer = read_preprocessor(preset, CLASSIFIER)
    assert of_tokenizer == SETTINGS
    assert settings.pop("name").startswith("bert_text_classifier_preprocessor")
    assert settings == {"sequence_length": 12, "truncate": "waterfall"}


def test_another_class_has_no_settings_for_this_one(preset: Path) -> None:
    change_json(preset / TOKENIZER, lowercase=False)
    settings, of_tokenizer = read_preprocessor(preset, ("BertMaskedLMPreprocessor",))
    assert settings == {}
    assert of_tokenizer == SETTINGS | {"lowercase": False}
    (preset / PREPROCESSOR).unlink()
    assert read_preprocessor(preset, CLASSIFIER) == (settings, of_tokenizer)


@pytest.mark.parametrize("registered", ["keras_nlp>BertTokenizer", "keras_hub>BertTokenizer"])
@pytest.mark.parametrize("dtype", ["int32", {"config": {"name": "int32"}}])
def test_older_files(registered: str, dtype: Any) -> None:
    config = {"name": "t", "trainable": True, "dtype": dtype, "lowercase": True}
    saved = {"registered_name": registered, "config": config}
    assert tokenizer_arguments(saved, "x") == {"name": "t", "lowercase": True, "dtype": "int32"}


@pytest.mark.parametrize("name", ["keras_hub>XLMRobertaTokenizer", "os>system", 3, None])
def test_another_tokenizer(preset: Path, name: object) -> None:
    content = json.loads((preset / TOKENIZER).read_text()) | {"registered_name": name}
    (preset / TOKENIZER).write_text(json.dumps(content))
    with pytest.raises(UnsupportedModelError, match=r"the tokenizer is a[\s\S]*tokenizer\.json"):
        read_tokenizer(preset)


def test_hugging_faces_file(preset: Path) -> None:
    (preset / TOKENIZER).write_text('{"version": "1.0", "model": {"vocab": {"a": 0}}}')
    with pytest.raises(UnsupportedModelError, match=r"not in Keras Hub's format[\s\S]*version"):
        read_tokenizer(preset)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"a":1,"a":2}', b"[" * 10**5])
def test_damaged_files(preset: Path, content: bytes) -> None:
    (preset / TOKENIZER).write_bytes(content)
    with pytest.raises(ModelFileError, match=TOKENIZER):
        read_tokenizer(preset)
    (preset / PREPROCESSOR).write_bytes(content)
    with pytest.raises(ModelFileError, match=PREPROCESSOR):
        read_preprocessor(preset, CLASSIFIER)


@pytest.mark.parametrize("config", [None, [], "x"])
def test_no_config(preset: Path, config: object) -> None:
    saved = {"registered_name": "keras_hub>BertTokenizer", "config": config}
    (preset / TOKENIZER).write_text(json.dumps(saved))
    with pytest.raises(ModelFileError, match="the file has no config"):
        read_tokenizer(preset)


def test_a_preprocessor_without_tokenizer(preset: Path) -> None:
    change_json(preset / PREPROCESSOR, tokenizer=None)
    with pytest.raises(ModelFileError, match="the preprocessor has no tokenizer"):
        read_preprocessor(preset, CLASSIFIER)


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.txt", "https://a.example/v", ["a"]])
def test_a_vocabulary_in_the_settings_is_never_followed(preset: Path, path: object) -> None:
    change_json(preset / TOKENIZER, vocabulary=path)
    with pytest.raises(UnsafeModelError, match="bring a vocabulary of their own"):
        read_tokenizer(preset)
    nested = json.loads((preset / TOKENIZER).read_text())
    change_json(preset / PREPROCESSOR, tokenizer=nested)
    with pytest.raises(UnsafeModelError, match=r"their own[\s\S]*preprocessor\.json"):
        read_preprocessor(preset, CLASSIFIER)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/x.json"])
def test_another_place_for_the_vocabulary_is_not_looked_at(preset: Path, name: str) -> None:
    change_json(preset / TOKENIZER, config_file=name)
    assert read_tokenizer(preset) == SETTINGS
    assert BertTextClassifierPreprocessor.from_preset(preset).tokenizer.token_to_id("quick") == 6


@pytest.mark.parametrize("name", [TOKENIZER, PREPROCESSOR, VOCABULARY])
def test_a_link_that_leads_out(
    preset: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "file"
    (preset / name).rename(outside)
    (preset / name).symlink_to(outside)
    reader = BertTokenizer if name == TOKENIZER else BertTextClassifierPreprocessor
    with pytest.raises(UnsafeModelError, match="a link that leads out"):
        reader.from_preset(preset)


@given(st.sampled_from([TOKENIZER, PREPROCESSOR, VOCABULARY]), st.data())
def test_a_damaged_preset_is_an_error_or_works(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    preset = write_saved(tmp_path_factory.mktemp("preset"), saved_files())
    content = bytearray((preset / name).read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(at, min(at + 9, len(content))))
    content[at:end] = data.draw(
        st.one_of(st.binary(max_size=9), st.just(b'"\n3{'), st.just(b"null"))
    )
    (preset / name).write_bytes(content)
    with contextlib.suppress(NpbertError):
        found = BertTextClassifierPreprocessor.from_preset(preset)
        assert found("the fox")["token_ids"].shape == (found.sequence_length,)


def test_the_config_is_keras_hubs() -> None:
    saved = json.loads(golden()["saved"][0]["files"][TOKENIZER])["config"]
    ours = tokenizer_config(
        "bert_tokenizer",
        TokenizerSettings(lowercase=True, special_tokens=("fox",), special_tokens_in_strings=True),
    )
    assert ours == saved
    assert list(ours) == list(saved)


def test_the_switch_that_keras_forgets() -> None:
    assert "split_on_cjk" not in tokenizer_config("t", TokenizerSettings())
    off = tokenizer_config("t", TokenizerSettings(split_on_cjk=False))
    assert off["split_on_cjk"] is False


def test_files_are_saved_together_or_not_at_all(tmp_path: Path) -> None:
    save_files(tmp_path / "new", {"a": b"1", "b/c": b"2"})
    assert (tmp_path / "new" / "b" / "c").read_bytes() == b"2"
    (tmp_path / "new" / "d").mkdir()
    with pytest.raises(ConfigError):
        save_files(tmp_path / "new", {"a": b"3", "d": b"4"})
    assert (tmp_path / "new" / "a").read_bytes() == b"1"
