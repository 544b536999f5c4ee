"""Rows with vectors to files, whole or not at all, and back."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from npbert.cli.outputs import Table, check_ids, check_output, read_table, write_table
from npbert.cli.sources import Id, Row
from npbert.cli.stamp import read_stamp
from npbert.errors import ConfigError, DependencyError, InputError, ModelFileError

VECTORS = np.random.default_rng(2).standard_normal((3, 5)).astype(np.float32)
TEXTS = ["one", "zwei \u2028 \x00", "三"]
STAMP = {"dimension": 5, "npbert": "0"}


def write(path: Path, ids: list[Id] | None = None, texts: list[str] = TEXTS) -> None:
    rows = [Row(text, ids[i] if ids else None) for i, text in enumerate(texts)]
    pairs = list(zip(rows, VECTORS, strict=False))
    write_table(path, Table(pairs, len(pairs), 5, ids is not None), STAMP)


def test_npy(tmp_path: Path) -> None:
    write(tmp_path / "v.npy")
    stored = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, VECTORS)
    assert read_stamp(tmp_path / "v.npy") == STAMP


@pytest.mark.parametrize("ids", [None, [7, 1, 2], ["b", "a", ""]])
@pytest.mark.parametrize("name", ["v.jsonl", "v.parquet"])
def test_texts_ids_and_every_bit_come_back(tmp_path: Path, name: str, ids: list[Id] | None) -> None:
    write(tmp_path / name, ids)
    back = list(read_table(tmp_path / name, 5))
    assert [row.text for row, _ in back] == TEXTS
    assert [row.id for row, _ in back] == (ids or [None] * 3)
    np.testing.assert_array_equal([vector for _, vector in back], VECTORS)


@pytest.mark.parametrize("name", ["v.jsonl", "v.parquet"])
def test_every_bit_of_odd_numbers_comes_back(tmp_path: Path, name: str) -> None:
    numbers = [-0.0, 1e-10, -1e-20, 1e-45, 3.4028235e38, 0.0, 1.0, -10.0, 16777217.0, -0.0]
    vector = np.array(numbers, np.float32)
    write_table(tmp_path / name, Table([(Row("one"), vector)], 1, len(vector), False), STAMP)
    ((_, back),) = read_table(tmp_path / name, len(vector))
    assert back.tobytes() == vector.tobytes()


def test_jsonl_is_one_object_a_line(tmp_path: Path) -> None:
    write(tmp_path / "v.jsonl")
    lines = (tmp_path / "v.jsonl").read_bytes().decode().split("\n")
    assert lines.pop() == ""
    assert list(json.loads(lines[0])) == ["text", "embedding"]


def test_parquet_has_the_columns_that_vector_stores_expect(tmp_path: Path) -> None:
    write(tmp_path / "v.parquet", [7, 1, 2])
    schema = pq.read_schema(tmp_path / "v.parquet")
    assert schema.names == ["id", "text", "embedding"]
    assert schema.types == [pa.int64(), pa.string(), pa.list_(pa.float32(), 5)]


@pytest.mark.parametrize("ids", [["a", 2, 3], [2, "a", 3], [2**63, 1, 2]])
def test_ids_that_are_no_column(ids: list[Id]) -> None:
    rows = [Row("one", each) for each in ids]
    bad = 1 if ids[0] == 2**63 else 2
    with pytest.raises(InputError, match=rf"not of one kind[\s\S]*row {bad}\n[\s\S]*\.jsonl"):
        list(check_ids(Path("v.parquet"), rows))
    for path in (None, Path("v.jsonl")):
        assert list(check_ids(path, rows)) == rows


@pytest.mark.parametrize("ids", [[-(2**63), 2**63 - 1], ["a", "1"], [None, None], []])
def test_ids_that_are_a_column(ids: list[Id]) -> None:
    rows = [Row("one", each) for each in ids]
    assert list(check_ids(Path("v.parquet"), rows)) == rows


@pytest.mark.parametrize("name", ["v.npy", "v.jsonl", "v.parquet"])
def test_no_vectors(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, texts=[])
    if name == "v.npy":
        assert np.load(tmp_path / name).shape == (0, 5)
    else:
        assert list(read_table(tmp_path / name, 5)) == []


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("v.npy", b"", InputError, "a file that has the texts"),
        ("v.jsonl", b"{", ModelFileError, "the file is damaged"),
        ("v.jsonl", b'{"text": "a"}', ModelFileError, r"not a row that npbert wrote[\s\S]*row 1"),
        ("v.jsonl", b'{"text": "a", "embedding": [1, 2]}', ModelFileError, r"shape \(2,\)"),
        ("v.jsonl", b'{"text": "a", "embedding": "abc"}', ModelFileError, "row 1"),
        ("v.jsonl", b"[]", ModelFileError, "row 1"),
        ("v.jsonl", b"[" * 100_000, ModelFileError, "the file is damaged"),
    ],
)
def test_files_that_are_not_read(
    tmp_path: Path, name: str, content: bytes, error: type[Exception], words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=words):
        list(read_table(tmp_path / name, 5))


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    write(tmp_path / "v.jsonl")
    before = (tmp_path / "v.jsonl").read_bytes()

    def breaking():  # type: ignore[no-untyped-def]
        yield Row("one"), VECTORS[0]
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_table(tmp_path / "v.jsonl", Table(breaking(), 2, 5, False), STAMP)
    assert (tmp_path / "v.jsonl").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("length", [2, 4])
def test_rows_that_got_lost(tmp_path: Path, length: int) -> None:
    write(tmp_path / "v.npy")
    before = (tmp_path / "v.npy").read_bytes()
    pairs = [(Row("one"), vector) for vector in VECTORS]
    with pytest.raises(ModelFileError, match=rf"3 rows\n[\s\S]*{length}\n[\s\S]*--resume"):
        write_table(tmp_path / "v.npy", Table(pairs, length, 5, False), STAMP)
    assert (tmp_path / "v.npy").read_bytes() == before


@pytest.mark.parametrize("kept", range(4))
def test_killed_between_renamings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """An output never has the stamp of another one."""
    write(tmp_path / "v.jsonl")
    before = (tmp_path / "v.jsonl").read_bytes()
    calls: list[object] = []
    replace = os.replace

    def killed(*paths: Path) -> None:
        calls.append(paths)
        if len(calls) > kept:
            raise SystemError("killed")
        replace(*paths)

    monkeypatch.setattr(os, "replace", killed)
    table = Table([(Row("new"), VECTORS[0])], 1, 5, False)
    with contextlib.suppress(SystemError):
        write_table(tmp_path / "v.jsonl", table, STAMP | {"npbert": "1"})
    old = (tmp_path / "v.jsonl").read_bytes() == before
    whole = [STAMP, {}, {}, STAMP | {"npbert": "1"}]
    assert (old, read_stamp(tmp_path / "v.jsonl")) == (kept < 2, whole[kept])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("v.txt", r"must end in \.npy, \.jsonl or \.parquet"),
        ("v", r"must end in \.npy, \.jsonl or \.parquet"),
        ("missing/v.npy", "its directory does not exist"),
        ("folder.npy", "is a directory"),
        ("pipe.npy", "or a device"),
    ],
)
def test_outputs_that_cannot_be(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(typer.BadParameter, match=words):
        check_output(tmp_path / name)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="such a link is replaced")
def test_an_output_that_is_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "v.npy").symlink_to("v.npy")
    with pytest.raises(typer.BadParameter, match="loop"):
        check_output(tmp_path / "v.npy")


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DependencyError, match=r"pip install 'npbert\[parquet\]'"):
        check_output(tmp_path / "v.parquet")


def test_a_directory_that_cannot_be_written_to() -> None:
    with pytest.raises(ConfigError, match="could not be written"):
        check_output(Path("/proc/v.npy"))


def test_outputs_that_can_be(tmp_path: Path) -> None:
    check_output(None)
    check_output(tmp_path / "v.npy")
    check_output(tmp_path / "v.jsonl")
    assert not any(tmp_path.iterdir())
