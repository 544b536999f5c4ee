"""Pooling and normalisation from modules.json and what it points to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ModelFileError, UnsafeModelError, UnsupportedModelError
from npbert.text.sentence_transformers import DEFAULT, Pooling, read_lowercase, read_pooling

from .tiny_model import write_json, write_modules

LEGACY = "pooling_mode_{}".format


def write(directory: Path, pooling: dict[str, Any], *after: str) -> Path:
    write_modules(directory, *after)
    write_json(directory / "1_Pooling" / "config.json", pooling)
    return directory


def test_no_modules_is_the_default(tmp_path: Path) -> None:
    assert read_pooling(tmp_path) == DEFAULT == Pooling("mean", False, None, False)


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ({"pooling_mode": "mean"}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": ["max"]}, "max"),
        ({LEGACY("cls_token"): True, LEGACY("mean_tokens"): False}, "cls"),
        ({LEGACY("mean_tokens"): True, LEGACY("mean_sqrt_len_tokens"): False}, "mean"),
        ({LEGACY("max_tokens"): True}, "max"),
        ({"pooling_mode": "cls", LEGACY("mean_tokens"): True}, "cls"),
        ({LEGACY("mean_tokens"): False}, "mean"),
        ({}, "mean"),
    ],
)
def test_modes(tmp_path: Path, config: dict[str, Any], mode: str) -> None:
    assert read_pooling(write(tmp_path, config)) == Pooling(mode, False)


@pytest.mark.parametrize("key", ["word_embedding_dimension", "embedding_dimension"])
def test_normalize_and_dimension(tmp_path: Path, key: str) -> None:
    config = {"pooling_mode": "mean", key: 20}
    assert read_pooling(write(tmp_path, config, "Normalize")) == Pooling("mean", True, 20)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"pooling_mode": "lasttoken"}, "lasttoken"),
        ({"pooling_mode": "nonsense"}, "nonsense"),
        ({"pooling_mode": ["mean", "max"]}, r"mean\+max"),
        ({LEGACY("weightedmean_tokens"): True}, "weightedmean"),
        ({LEGACY("cls_token"): True, LEGACY("mean_tokens"): True}, r"cls\+mean"),
        ({LEGACY("mean_sqrt_len_tokens"): True}, "mean_sqrt_len_tokens"),
    ],
)
def test_other_modes_are_named(tmp_path: Path, config: dict[str, Any], name: str) -> None:
    with pytest.raises(UnsupportedModelError, match=f"npbert has no pooling '{name}'"):
        read_pooling(write(tmp_path, config))


@pytest.mark.parametrize(
    "after", [("Dense",), ("Dense", "Normalize"), ("LayerNorm",), ("Normalize", "Dropout")]
)
def test_other_modules_are_named(tmp_path: Path, after: tuple[str, ...]) -> None:
    foreign = next(name for name in after if name != "Normalize")
    with pytest.raises(UnsupportedModelError, match=f"does not run: {foreign}"):
        read_pooling(write(tmp_path, {}, *after))


@pytest.mark.parametrize("modules", [[], ["Transformer"], ["Transformer", "Normalize", "Pooling"]])
def test_other_sequences(tmp_path: Path, modules: list[str]) -> None:
    entries = [{"path": name if i else "", "type": f"x.{name}"} for i, name in enumerate(modules)]
    write_json(tmp_path / "modules.json", entries)
    with pytest.raises(UnsupportedModelError, match="Transformer -> Pooling -> Normalize"):
        read_pooling(tmp_path)


def test_a_transformer_in_a_directory_of_its_own(tmp_path: Path) -> None:
    paths = {"Transformer": "0_Transformer", "Pooling": "1_Pooling"}
    entries = [{"path": path, "type": f"x.{kind}"} for kind, path in paths.items()]
    write_json(tmp_path / "modules.json", entries)
    with pytest.raises(UnsupportedModelError, match="in a directory of its own"):
        read_pooling(tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        *("../outside", "1_Pooling/../../outside", "/etc", "C:\\pooling", "c:pooling", ""),
        *("..\\outside", "\\\\host\\share", "a\0b", ".."),
    ],
)
def test_a_path_that_leads_out_is_refused(tmp_path: Path, path: str) -> None:
    model = tmp_path / "model"
    model.mkdir()
    write_json(tmp_path / "outside" / "config.json", {"pooling_mode": "cls"})
    entries = [{"path": "", "type": "Transformer"}, {"path": path, "type": "Pooling"}]
    write_json(model / "modules.json", entries)
    with pytest.raises(UnsafeModelError, match="leads out of the model's directory"):
        read_pooling(model)


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    write_json(tmp_path / "outside" / "config.json", {"pooling_mode": "cls"})
    write_modules(model)
    (model / "1_Pooling").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafeModelError, match="leads out of the model's directory"):
        read_pooling(model)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"3", b"[", b"[3]", b"null", b'[{"type": 3, "path": ""}]'),
        *(b'[{"type": "a.Transformer"}]', b"\xff", b'[], "more": []', b"[" * 100_000),
    ],
)
def test_damaged_modules(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "modules.json").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"modules\.json"):
        read_pooling(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode": 3},
        {"pooling_mode": []},
        {"pooling_mode": [3]},
        {LEGACY("cls_token"): "yes"},
        {"pooling_mode": "mean", "embedding_dimension": "20"},
        {"pooling_mode": "mean", "embedding_dimension": True},
        [],
    ],
)
def test_a_damaged_pooling_config(tmp_path: Path, config: Any) -> None:
    with pytest.raises(ModelFileError, match="1_Pooling"):
        read_pooling(write(tmp_path, config))


def test_a_missing_pooling_config(tmp_path: Path) -> None:
    write_modules(tmp_path)
    with pytest.raises(ModelFileError, match=r"does not exist[\s\S]*1_Pooling"):
        read_pooling(tmp_path)


def test_lowercase(tmp_path: Path) -> None:
    assert read_lowercase(tmp_path) is False
    for stated in (True, False):
        write_json(tmp_path / "sentence_bert_config.json", {"do_lower_case": stated})
        assert read_lowercase(tmp_path) is stated
    write_json(tmp_path / "sentence_bert_config.json", {"do_lower_case": "no"})
    with pytest.raises(ModelFileError, match="true or false as do_lower_case"):
        read_lowercase(tmp_path)
