"""Vectors to files, whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from npbert.cli.outputs import atomic_write, check_output, write_vectors

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


def test_an_old_file_stays_whole_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    path.write_bytes(b"old")

    def fail_halfway() -> None:
        with atomic_write(path) as file:
            file.write(b"new, but ")
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert [each.name for each in tmp_path.iterdir()] == ["v.npy"]
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links")
def test_the_mode_and_the_link_stay(tmp_path: Path) -> None:
    (tmp_path / "real.npy").write_bytes(b"old")
    (tmp_path / "real.npy").chmod(0o640)
    (tmp_path / "link.npy").symlink_to("real.npy")
    with atomic_write(tmp_path / "link.npy") as file:
        file.write(b"new")
    assert (tmp_path / "link.npy").is_symlink()
    assert (tmp_path / "real.npy").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "real.npy").stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="umask")
def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "v.npy") as file:
            file.write(b"new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "v.npy").stat().st_mode) == 0o640


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
