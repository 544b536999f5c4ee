"""The modules of a sentence-transformers model, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ModelFileError, UnsafeModelError
from npbert.weights import module_list
from npbert.weights.module_list import (
    Module,
    model_folder,
    module_files,
    read_module_list,
    transformer_folder,
)


def write(folder: Path, *modules: tuple[str, str]) -> Path:
    path = folder / "modules.json"
    path.write_text(json.dumps([{"type": kind, "path": at, "idx": 3} for kind, at in modules]))
    return path


def test_kinds_and_folders_in_order(tmp_path: Path) -> None:
    modules = [("a.b.Transformer", ""), ("a.Pooling", "1_Pooling"), ("Dense", "late/2_Dense")]
    assert read_module_list(write(tmp_path, *modules)) == [Module(*each) for each in modules]
    assert read_module_list(write(tmp_path)) == []


def test_the_files_of_the_modules_after_the_transformer(tmp_path: Path) -> None:
    modules = [("a.Transformer", "0_T"), ("a.Pooling", "pool"), ("a.Dense", "d"), ("Normalize", "")]
    files = ["pool/config.json", "d/config.json", "d/model.safetensors"]
    assert module_files(write(tmp_path, *modules)) == files


def test_where_the_transformer_is_and_back(tmp_path: Path) -> None:
    assert transformer_folder(tmp_path) == model_folder(tmp_path) == tmp_path
    write(tmp_path, ("Transformer", ""), ("Pooling", "1_Pooling"))
    assert transformer_folder(tmp_path) == model_folder(tmp_path) == tmp_path
    assert model_folder(tmp_path / "other") == tmp_path / "other"
    write(tmp_path, ("Transformer", "0_Transformer"), ("Pooling", "1_Pooling"))
    old = tmp_path / "0_Transformer"
    assert (transformer_folder(tmp_path), model_folder(old)) == (old, tmp_path)
    assert model_folder(tmp_path / "other") == tmp_path / "other"


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_list, "_MAX_BYTES", 9)
    with pytest.raises(ModelFileError, match="larger than 9 bytes"):
        read_module_list(write(tmp_path, ("Transformer", "")))


@pytest.mark.parametrize("content", ["[]", "{", '[{"type": "T", "path": "../x"}]'])
def test_a_damaged_list_is_no_reason_to_look_elsewhere(tmp_path: Path, content: str) -> None:
    (tmp_path / "modules.json").write_text(content)
    assert transformer_folder(tmp_path) == tmp_path
    assert model_folder(tmp_path / "0_T") == tmp_path / "0_T"


@pytest.mark.parametrize(
    "folder",
    [
        *("../outside", "1_Pooling/../../outside", "/etc", "C:\\pooling", "c:pooling", "."),
        *("..\\outside", "\\\\host\\share", "a\0b", ".."),
    ],
)
def test_a_folder_that_leads_out_is_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UnsafeModelError, match="leads out of the model's directory"):
        read_module_list(write(tmp_path, ("Transformer", ""), ("Pooling", folder)))


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "1_Pooling").symlink_to(tmp_path)
    with pytest.raises(UnsafeModelError, match="leads out of the model's directory"):
        read_module_list(write(model, ("Pooling", "1_Pooling")))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"3", b"[", b"[3]", b"null", b'[{"type": 3, "path": ""}]'),
        *(b'[{"type": "a.Transformer"}]', b"\xff", b'[], "more": []', b"[" * 100_000),
    ],
)
def test_a_damaged_list(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "modules.json").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"modules\.json"):
        read_module_list(tmp_path / "modules.json")


@pytest.mark.parametrize("entry", [{"type": "T", "path": None}, {"path": ""}, "T"])
def test_an_entry_that_is_no_module(tmp_path: Path, entry: Any) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([entry]))
    with pytest.raises(ModelFileError, match="modules such as"):
        read_module_list(tmp_path / "modules.json")
