"""Typed values out of small JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ModelFileError
from npbert.weights import settings
from npbert.weights.settings import boolean, read_settings, whole

WHERE = Path("model/config.json")


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "config.json") == {}


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"a": [1, None]}))
    assert read_settings(path) == {"a": [1, None]}


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"a": 1, "a": 2}'])
def test_a_damaged_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"config\.json"):
        read_settings(path)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_BYTES", 7)
    (tmp_path / "config.json").write_text('{"a": 12}')
    with pytest.raises(ModelFileError, match="larger than 7 bytes"):
        read_settings(tmp_path / "config.json")


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean(value: bool) -> None:
    assert boolean({"a": value}, "a", not value, WHERE) is value
    assert boolean({}, "a", value, WHERE) is value


@pytest.mark.parametrize("value", [None, 0, 1, "true", [True]])
def test_no_boolean(value: Any) -> None:
    with pytest.raises(ModelFileError, match=r"form that its library[\s\S]*true or false as a"):
        boolean({"a": value}, "a", True, WHERE)


def test_a_whole_number() -> None:
    assert whole({"a": 7}, "a", WHERE) == 7
    assert whole({"a": None}, "a", WHERE) is whole({}, "a", WHERE) is None


@pytest.mark.parametrize("value", [0, -1, True, 7.0, "7", [7]])
def test_no_whole_number(value: Any) -> None:
    with pytest.raises(ModelFileError, match="an int of 1 or more as a") as caught:
        whole({"a": value}, "a", WHERE)
    assert caught.value.where == WHERE
    assert caught.value.received == repr(value)
