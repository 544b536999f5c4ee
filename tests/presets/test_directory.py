"""Model directories that are missing, incomplete or not a BERT's."""

from __future__ import annotations

from pathlib import Path

import pytest

from npbert.errors import ConfigError, ModelFileError, UnsafeModelError, UnsupportedModelError
from npbert.presets import load_preset

from .model_folders import PRESETS, change, copy


def test_missing(tmp_path: Path):
    with pytest.raises(ModelFileError) as error:
        load_preset(tmp_path / "nothing")
    assert str(error.value) == (
        f"no model at '{tmp_path / 'nothing'}'.\n"
        "  received: No such file or directory\n"
        "  expected: a known name, or a directory with config.json with model.weights.h5 "
        "(Keras Hub) or model.safetensors\n"
        "  fix:      give the directory that holds the files"
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("bert_base_en_uncase", "bert_base_en_uncased"), ("all-minilm-L6-v2", "all-MiniLM-L6-v2")],
)
def test_missing_but_nearly_a_name(name: str, nearest: str):
    with pytest.raises(ModelFileError, match=f"did you mean '{nearest}'"):
        load_preset(name)


def test_empty(tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"no model at(.|\n)*received: an empty directory"):
        load_preset(tmp_path)


def test_other_files(tmp_path: Path):
    for i in range(12):
        (tmp_path / f"{i:02}.txt").touch()
    with pytest.raises(ModelFileError, match=r"found: 00.txt, 01.txt, .*, 09.txt and 2 more"):
        load_preset(tmp_path)


def test_a_file_in_place_of_a_directory():
    with pytest.raises(ModelFileError, match=r"no model at(.|\n)*received: Not a directory"):
        load_preset(PRESETS / "hf_tiny" / "model.safetensors")


def test_a_null_byte():
    with pytest.raises(ModelFileError, match=r"received: embedded null"):
        load_preset("models\0")


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
def test_no_weights_file(tmp_path: Path, name: str):
    folder = copy(name, tmp_path)
    weights = "model.weights.h5" if name == "keras_tiny" else "model.safetensors"
    (folder / weights).unlink()
    message = rf"has no weights file(.|\n)*found: config.json(.|\n)*expected: {weights}"
    with pytest.raises(ModelFileError, match=message):
        load_preset(folder)


@pytest.mark.parametrize("name", ["keras_tiny", "hf_tiny"])
def test_an_empty_weights_file(tmp_path: Path, name: str):
    folder = copy(name, tmp_path)
    next(folder.glob("model.*")).write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"the file is empty \(0 bytes\)"):
        load_preset(folder)


def test_only_a_pickle(tmp_path: Path):
    folder = copy("hf_tiny", tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    message = r"a pickle, which can run code(.|\n)*pytorch_model.bin(.|\n)*to safetensors"
    with pytest.raises(UnsafeModelError, match=message):
        load_preset(folder)


@pytest.mark.parametrize(
    ("name", "index"),
    [("keras_tiny", "model.weights.json"), ("hf_tiny", "model.safetensors.index.json")],
)
def test_several_weights_files(tmp_path: Path, name: str, index: str):
    folder = copy(name, tmp_path)
    next(folder.glob("model.*")).rename(folder / index)
    with pytest.raises(UnsupportedModelError, match="the weights are in several files"):
        load_preset(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b'{"model_type": "bert", "model_type": "bert"}', "duplicate key 'model_type'"),
        (b'{"model_type": "bert", "hidden_size": NaN}', "NaN is not JSON"),
        (b"\xff\xfe{", "not UTF-8"),
        (b'{"a": "' + b"x" * 1_000_000 + b'"}', "larger than 1,000,000 bytes"),
    ],
)
def test_a_config_that_is_not_an_object(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
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
    with pytest.raises(ValueError, match=r"received: \(26, 20\)\n  expected: \(27, 20\)"):
        load_preset(folder)


def test_a_field_keras_does_not_have(tmp_path: Path):
    folder = change(copy("keras_tiny", tmp_path), {"num_head": 3})
    with pytest.raises(ConfigError, match=r"unknown BertConfig field 'num_head'"):
        load_preset(folder)
