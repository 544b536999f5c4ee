"""config.json in a model's directory: damaged, hostile, or of another model."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from weights import model_files

from npbert.errors import ConfigError, ModelFileError, UnsupportedModelError, WeightError
from npbert.presets import load_preset

from .model_folders import PRESETS, change, copy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b'{"model_type": "bert", "model_type": "bert"}', "duplicate key 'model_type'"),
        (b'{"model_type": "bert", "hidden_size": NaN}', "NaN is not JSON"),
        (b"\xff\xfe{", "not UTF-8"),
        (b'{"model_type": "bert", "hidden_size": -Infinity}', "-Infinity is not JSON"),
        (b'\xef\xbb\xbf{"model_type": "bert"}', "BOM"),
        ('{"model_type": "bert"}'.encode("utf-16"), "not UTF-8"),
        (b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply"),
        (b'{"hidden_size": 1' + b"0" * 4_300 + b"}", "integer string conversion"),
        (b'{"a": "' + b"x" * 1_000_000 + b'"}', "larger than 1,000,000 bytes"),
    ],
)
def test_a_config_that_is_not_an_object(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_preset(tmp_path)


def test_a_config_of_a_gigabyte(tmp_path: Path):
    """Little of it is read."""
    (tmp_path / "config.json").write_bytes(b"{}")
    os.truncate(tmp_path / "config.json", 10**9)
    with pytest.raises(ConfigError, match="larger than 1,000,000 bytes"):
        load_preset(tmp_path)


def test_an_empty_config(tmp_path: Path):
    (tmp_path / "config.json").touch()
    with pytest.raises(ModelFileError, match=r"the file is empty \(0 bytes\)(.|\n)*config.json"):
        load_preset(tmp_path)


def test_a_config_of_neither_library(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"architecture": "resnet50", "num_classes": 3}')
    message = r"does not say what model(.|\n)*received: keys architecture, num_classes"
    with pytest.raises(UnsupportedModelError, match=message):
        load_preset(tmp_path)


BAD = [
    ("768", r"received: '768' \(str\)"),
    (True, r"received: True \(bool\)"),
    (None, r"received: None \(NoneType\)"),
    (768.0, r"received: 768.0 \(float\)"),
    (-8, r"received: -8 \(int\)"),
    (0, r"received: 0 \(int\)"),
    (10**9, r"received: 1000000000 \(int\)"),
]


@pytest.mark.parametrize(("value", "received"), BAD, ids=[repr(value) for value, _ in BAD])
def test_a_bad_size(tmp_path: Path, value: object, received: str):
    folder = change(copy("keras_tiny", tmp_path), {"hidden_dim": value})
    message = r"hidden_dim must be an int in \[1, 65536\](.|\n)*config.json\n  " + received
    with pytest.raises(ConfigError, match=message):
        load_preset(folder)
    folder = change(copy("hf_tiny", tmp_path), {"hidden_size": value})
    message = r"hidden_dim must be an int(.|\n)*config.json: hidden_size\n  " + received
    with pytest.raises(ConfigError, match=message):
        load_preset(folder)


def test_a_missing_size(tmp_path: Path):
    folder = change(copy("keras_tiny", tmp_path), {}, remove="num_heads")
    with pytest.raises(ConfigError, match=r"the config lacks num_heads(.|\n)*config.json"):
        load_preset(folder)
    folder = change(copy("hf_tiny", tmp_path), {}, remove="num_attention_heads")
    with pytest.raises(ConfigError, match=r"the config lacks num_attention_heads"):
        load_preset(folder)


def test_heads_that_do_not_divide(tmp_path: Path):
    folder = change(copy("keras_tiny", tmp_path), {"num_heads": 5})
    with pytest.raises(ConfigError, match="hidden_dim is not divisible by num_heads"):
        load_preset(folder)


def test_a_vocabulary_that_the_table_does_not_have(tmp_path: Path):
    folder = change(copy("hf_tiny", tmp_path), {"vocab_size": 27})
    with pytest.raises(WeightError, match=r"received: \(26, 20\)\n  expected: \(27, 20\)"):
        load_preset(folder)
    folder = change(copy("keras_tiny", tmp_path), {"vocabulary_size": 27})
    with pytest.raises(WeightError, match="'token_embedding/embeddings' has the wrong shape"):
        load_preset(folder)


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
def test_what_a_config_names_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    (tmp_path / "never_imported.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    folder = copy(name, tmp_path)
    named = {"module": "never_imported", "class_name": "Model", "compile_config": {}}
    code = {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}}
    model_files.change_json(
        folder / "config.json",
        lambda raw: raw.update(
            **named,
            build_config=code,
            custom_objects={"Model": named},
            auto_map={"AutoModel": "never_imported.Model"},
        ),
    )
    loaded, expected = load_preset(folder).weights, load_preset(PRESETS / name).weights
    assert loaded is not None
    assert expected is not None
    model_files.assert_same(loaded, expected)
    assert "never_imported" not in sys.modules


def test_a_field_keras_does_not_have(tmp_path: Path):
    folder = change(copy("keras_tiny", tmp_path), {"num_head": 3})
    with pytest.raises(ConfigError, match=r"unknown BertConfig field 'num_head'"):
        load_preset(folder)
