"""Vectors to files, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer

from npbert.cli.outputs import check_output, write_vectors

VECTORS = np.random.default_rng(2).standard_normal((3, 5)).astype(np.float32)
TEXTS = ["one", "zwei \u2028 \x00", "三"]


def test_npy(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.npy", TEXTS, VECTORS)
    stored = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, VECTORS)


def test_jsonl_has_the_texts_and_every_bit(tmp_path: Path) -> None:
    write_vectors(tmp_path / "v.jsonl", TEXTS, VECTORS)
    lines = (tmp_path / "v.jsonl").read_bytes().decode().split("\n")
    assert lines.pop() == ""
    rows = [json.loads(line) for line in lines]
    assert [row["text"] for row in rows] == TEXTS
    np.testing.assert_array_equal(np.array([r["embedding"] for r in rows], np.float32), VECTORS)


@pytest.mark.parametrize("name", ["v.npy", "v.jsonl"])
def test_no_vectors(tmp_path: Path, name: str) -> None:
    write_vectors(tmp_path / name, [], np.empty((0, 5), np.float32))
    assert (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("v.txt", r"must end in \.npy or \.jsonl"),
        ("v", r"must end in \.npy or \.jsonl"),
        ("missing/v.npy", "its directory does not exist"),
        ("folder.npy", "is a directory"),
    ],
)
def test_outputs_that_cannot_be(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(typer.BadParameter, match=words):
        check_output(tmp_path / name)


def test_outputs_that_can_be(tmp_path: Path) -> None:
    check_output(None)
    check_output(tmp_path / "v.npy")
    check_output(tmp_path / "v.jsonl")
