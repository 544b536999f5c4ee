"""Where texts come from."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from npbert.cli.sources import LINES, Columns, Row, gather, rows
from npbert.errors import InputError

WITH_IDS = Columns("body", "key")


def read(tmp_path: Path, name: str, content: bytes, columns: Columns = LINES) -> list[Row]:
    (tmp_path / name).write_bytes(content)
    return list(rows(None, tmp_path / name, columns))


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"", []),
        (b"one", ["one"]),
        (b"one\n", ["one"]),
        (b"one\n\ntwo\n", ["one", "", "two"]),
        (b"\n\n", ["", ""]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"\xef\xbb\xbfone\n", ["one"]),
        ("é\u2028ü\u0085\x0c\n東".encode(), ["é\u2028ü\u0085\x0c", "東"]),
    ],
)
def test_lines(tmp_path: Path, content: bytes, texts: list[str]) -> None:
    assert [row.text for row in read(tmp_path, "texts.txt", content)] == texts


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not UTF-8[\s\S]*texts\.txt, line 3[\s\S]*byte 0xff"):
        read(tmp_path, "texts.txt", b"one\ntwo\nthree \xff\n")


def test_a_line_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("npbert.cli.sources._MAX_LINE_BYTES", 7)
    with pytest.raises(InputError, match=r"more than 7 bytes[\s\S]*line 2"):
        read(tmp_path, "texts.txt", b"one\n" + b"x" * 30)


def test_json_lines(tmp_path: Path) -> None:
    content = b'{"text": "one", "more": 3}\n\n{"text": "two\\n"}\r\n'
    assert read(tmp_path, "a.jsonl", content) == [Row("one"), Row("two\n")]
    content = b'{"body": "one", "key": 3}\n{"body": "", "key": "c"}'
    assert read(tmp_path, "a.ndjson", content, WITH_IDS) == [Row("one", 3), Row("", "c")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'["one"]', r"no JSON object[\s\S]*\['one'\]"),
        (b"null", "no JSON object"),
        (b'{"key": 3}', r"no column 'body'[\s\S]*'key'[\s\S]*--text-column"),
        (b'{"body": "one"}', "no column 'key'"),
        (b'{"body": null, "key": 3}', r"must be a str[\s\S]*None"),
        (b'{"body": NaN, "key": 3}', r"must be a str[\s\S]*nan"),
        (b'{"body": ["a", "b"], "key": 3}', "must be a str"),
        (b'{"body": "\\ud800", "key": 3}', "half of a surrogate pair"),
        (b'{"body": "one", "key": 1.5}', r"an id must be[\s\S]*column 'key'[\s\S]*1\.5"),
        (b'{"body": "one", "key": true}', "an id must be"),
        (b'{"body": "one", "key": "\\ud800"}', r"surrogate pair[\s\S]*column 'key'"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_bad_json_lines(tmp_path: Path, line: bytes, words: str) -> None:
    content = b'{"body": "fine", "key": 1}\n' + line + b"\n"
    with pytest.raises(InputError, match=rf"{words}") as caught:
        read(tmp_path, "a.jsonl", content, WITH_IDS)
    assert "a.jsonl, line 2" in str(caught.value.where)


def test_csv(tmp_path: Path) -> None:
    content = b'key,body\r\n1,one\r\n2,"two, ""and""\nmore"\r\n\r\n'
    expected = [Row("one", "1"), Row('two, "and"\nmore', "2")]
    assert read(tmp_path, "a.csv", content, WITH_IDS) == expected
    assert read(tmp_path, "a.tsv", b"text\tx\none, two\t\n") == [Row("one, two")]
    assert read(tmp_path, "b.csv", b"") == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"key,body\n1,one\n2\n", r"another number of fields[\s\S]*line 3"),
        (b"key,body\n1,one,two\n", r"another number of fields[\s\S]*line 2"),
        (b'key,body\n1,"one\n', r"no CSV[\s\S]*line 2"),
        (b"key,text\n1,one\n", r"no column 'body'[\s\S]*line 1\n[\s\S]*'key', 'text'"),
        (b"key,text\n", "no column 'body'"),
        (b"key;body\n1;one\n", r"no column 'body'[\s\S]*'key;body'"),
        (b"key,body,body\n1,one,two\n", "several columns 'body'"),
    ],
)
def test_bad_csv(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, "a.csv", content, WITH_IDS)


@given(st.lists(st.tuples(st.text(), st.integers()), max_size=5))
def test_json_lines_give_back_what_json_wrote(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, int]]
) -> None:
    lines = [json.dumps({"body": text, "key": key}) for text, key in pairs]
    path = tmp_path_factory.mktemp("rows")
    got = read(path, "a.jsonl", "\n".join(lines).encode(), WITH_IDS)
    assert got == [Row(text, key) for text, key in pairs]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"key": [3, 5], "body": ["one", "zwei"], "more": [0.5, 1.5]}), path)
    assert list(rows(None, path, WITH_IDS)) == [Row("one", 3), Row("zwei", 5)]
    with pytest.raises(InputError, match=r"no column 'text'[\s\S]*'key', 'body', 'more'"):
        list(rows(None, path))
    pq.write_table(pa.table({"text": ["one", None]}), path)
    with pytest.raises(InputError, match=r"must be a str[\s\S]*row 2"):
        list(rows(None, path))
    with pytest.raises(InputError, match="cannot be read as a Parquet file"):
        read(tmp_path, "b.parquet", b"PAR1 no")


def test_each_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "texts.txt").write_bytes(b"three\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"four\nfive\n")))
    assert gather(["one", "two"], None) == ["one", "two"]
    assert gather([], tmp_path / "texts.txt") == ["three"]
    assert gather(None, None) == ["four", "five"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"six")))
    assert gather(None, Path("-")) == ["six"]


def test_parquet_with_a_column_twice(tmp_path: Path) -> None:
    texts = pa.array(["one"])
    pq.write_table(pa.Table.from_arrays([texts, texts], ["text", "text"]), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="several columns 'text'"):
        list(rows(None, tmp_path / "a.parquet"))


def test_a_quote_that_is_never_closed_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("npbert.cli.sources._MAX_LINE_BYTES", 50)
    with pytest.raises(InputError, match=r"no CSV[\s\S]*line 6\n[\s\S]*field limit"):
        read(tmp_path, "a.csv", b'text\n"' + b"0123456789\n" * 1000)


def test_capital_letters_in_a_suffix(tmp_path: Path) -> None:
    assert read(tmp_path, "a.JSONL", b'{"text": "one"}\n') == [Row("one")]
    pq.write_table(pa.table({"text": ["one"]}), tmp_path / "A.Parquet")
    assert list(rows(None, tmp_path / "A.Parquet")) == [Row("one")]


@pytest.mark.parametrize("columns", [Columns("body"), Columns("text", "key")])
@pytest.mark.parametrize(("texts", "name"), [(["one"], None), ([], "a.txt"), ([], "-"), ([], None)])
def test_lines_have_no_columns(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    columns: Columns,
    texts: list[str],
    name: str | None,
) -> None:
    (tmp_path / "a.txt").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(typer.BadParameter, match=r"--id-column go with --input FILE.*\.jsonl"):
        rows(texts, Path(name) if name else None, columns)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.txt"):
        with pytest.raises(typer.BadParameter, match="does not exist, or is a directory"):
            gather(None, path)


def test_two_places_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(typer.BadParameter, match="not both"):
        gather(["one"], Path("texts.txt"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    with pytest.raises(typer.BadParameter, match="no texts"):
        gather(None, None)
    monkeypatch.setattr("sys.stdin", None)  # as under `npbert embed <&-`
    for path in (None, Path("-")):
        with pytest.raises(typer.BadParameter, match="no texts"):
            gather(None, path)
