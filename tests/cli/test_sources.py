"""Where texts come from."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import typer

from npbert.cli.sources import gather, split_lines
from npbert.errors import InputError


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
def test_lines(content: bytes, texts: list[str]) -> None:
    assert split_lines(content, "stdin") == texts


def test_a_file_that_is_not_utf8() -> None:
    with pytest.raises(InputError, match=r"not UTF-8[\s\S]*texts\.txt, line 3[\s\S]*byte 0xff"):
        split_lines(b"one\ntwo\nthree \xff\n", Path("texts.txt"))


def test_each_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "texts.txt").write_bytes(b"three\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"four\nfive\n")))
    assert gather(["one", "two"], None) == ["one", "two"]
    assert gather([], tmp_path / "texts.txt") == ["three"]
    assert gather(None, None) == ["four", "five"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"six")))
    assert gather(None, Path("-")) == ["six"]


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
