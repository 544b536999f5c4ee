"""Rows with vectors to files, whole or not at all, and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from npbert.cli.outputs import Table, check_output, read_table, write_table
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
def test_ids_that_are_no_column(tmp_path: Path, ids: list[Id]) -> None:
    with pytest.raises(InputError, match=r"ids are not of one kind[\s\S]*\.jsonl"):
        write(tmp_path / "v.parquet", ids)
    assert not any(tmp_path.iterdir())


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


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("v.txt", r"must end in \.npy, \.jsonl or \.parquet"),
        ("v", r"must end in \.npy, \.jsonl or \.parquet"),
        ("missing/v.npy", "its directory does not exist"),
        ("folder.npy", "is a directory"),
    ],
)
def test_outputs_that_cannot_be(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(typer.BadParameter, match=words):
        check_output(tmp_path / name)


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
