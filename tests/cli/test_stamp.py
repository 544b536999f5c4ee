"""What decides the vectors of an output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from text.tiny_model import write_tiny_model

from npbert.cli.stamp import check_same, model_sha256, read_stamp, stamp_path
from npbert.errors import InputError, ModelFileError


def test_the_hash_changes_with_every_file_of_the_model(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny")
    before = model_sha256(model)
    assert model_sha256(write_tiny_model(tmp_path / "again")) == before
    for file in sorted(path for path in model.rglob("*") if path.is_file()):
        content = file.read_bytes()
        file.write_bytes(content + b" ")
        assert model_sha256(model) != before, file
        file.write_bytes(content)
    (model / "README.md").write_text("no part of the model")
    assert model_sha256(model) == before


def test_the_hash_of_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.keras").write_bytes(b"one")
    (tmp_path / "b.keras").write_bytes(b"two")
    assert model_sha256(tmp_path / "a.keras") != model_sha256(tmp_path / "b.keras")


def test_an_output_without_stamp(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no stamp[\s\S]*v\.jsonl\.stamp\.json"):
        read_stamp(tmp_path / "v.jsonl")
    stamp_path(tmp_path / "v.jsonl").write_text(json.dumps({"numerics": 1}))
    assert read_stamp(tmp_path / "v.jsonl") == {"numerics": 1}


def test_a_link_to_an_output_has_its_stamp(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "v.jsonl").symlink_to("folder/w.jsonl")
    stamp_path(tmp_path / "folder" / "w.jsonl").write_text(json.dumps({"numerics": 1}))
    assert read_stamp(tmp_path / "v.jsonl") == {"numerics": 1}


def test_the_difference_is_named() -> None:
    one, other = {"numerics": 1, "pooling": "mean"}, {"numerics": 1, "pooling": "cls", "more": 2}
    check_same(one, dict(one), Path("v.npy"), "begin again")
    with pytest.raises(InputError) as caught:
        check_same(other, one, Path("v.npy"), "begin again")
    assert str(caught.value) == (
        "it was made with another pooling, more.\n"
        "  where:    v.npy\n"
        '  received: {"pooling": "cls", "more": 2}\n'
        '  expected: {"pooling": "mean", "more": null}\n'
        "  fix:      begin again"
    )
