"""JSON that says one thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from npbert.errors import ConfigError, ModelFileError
from npbert.weights.strict_json import parse_object, read_object


def test_an_object():
    text = '{"a": [1, 2.5, null], "b": {"ü": "x"}}'.encode()
    assert parse_object(text, where="f", error=ConfigError) == {
        "a": [1, 2.5, None],
        "b": {"ü": "x"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "duplicate key 'c'"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1', "not valid JSON: Expecting ',' delimiter"),
        (b"[1, 2]", "not a JSON object(.|\n)*received: list"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8 at byte 0"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1' + b"0" * 5_000 + b"}", "integer string conversion"),
        (b'{"a": 1}{"a": 2}', "Extra data"),
    ],
)
def test_what_is_refused(text: bytes, message: str):
    with pytest.raises(ModelFileError, match=message):
        parse_object(text, where="f", error=ModelFileError)


def test_a_file_that_is_too_large(tmp_path: Path):
    (tmp_path / "config.json").write_bytes(b'{"a": "' + b"x" * 100 + b'"}')
    with pytest.raises(ConfigError, match="larger than 50 bytes"):
        read_object(tmp_path / "config.json", max_bytes=50, error=ConfigError)


def test_the_error_names_the_file(tmp_path: Path):
    (tmp_path / "config.json").write_bytes(b"<html>")
    with pytest.raises(ConfigError, match=r"where: .*config.json\n  received: b'<html>'"):
        read_object(tmp_path / "config.json", max_bytes=50, error=ConfigError)
