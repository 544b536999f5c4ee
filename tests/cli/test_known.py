"""Vectors of an earlier output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from npbert.cli.known import Known
from npbert.cli.outputs import Table, write_table
from npbert.cli.sources import Row
from npbert.errors import InputError, ModelFileError

STAMP = {"dimension": 3}
ROWS = [Row("one", 1), Row("two", 2), Row("two", 3)]
VECTORS = np.random.default_rng(4).standard_normal((3, 3)).astype(np.float32)


def test_rows_that_have_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    write_table(path, Table(zip(ROWS, VECTORS, strict=True), 3, 3, ids=True), STAMP)
    known = Known(path, STAMP, tmp_path)
    for row, vector in zip(ROWS, VECTORS, strict=True):
        np.testing.assert_array_equal(known.get(row), vector)
    for row in (Row("two", 1), Row("two"), Row("tw", 2), Row("two", "2")):
        assert known.get(row) is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["v.jsonl", "v.jsonl.stamp.json"]


def test_nothing_is_known(tmp_path: Path) -> None:
    assert Known(None, STAMP, tmp_path).get(ROWS[0]) is None
    write_table(tmp_path / "v.jsonl", Table([], 0, 3, ids=True), STAMP)
    assert Known(tmp_path / "v.jsonl", STAMP, tmp_path).get(ROWS[0]) is None


def test_another_stamp_and_none(tmp_path: Path) -> None:
    write_table(tmp_path / "v.jsonl", Table([], 0, 3, ids=True), STAMP)
    with pytest.raises(InputError, match=r"another dimension[\s\S]*without --reuse"):
        Known(tmp_path / "v.jsonl", {"dimension": 4}, tmp_path)
    with pytest.raises(ModelFileError, match="no stamp"):
        Known(tmp_path / "w.jsonl", STAMP, tmp_path)
