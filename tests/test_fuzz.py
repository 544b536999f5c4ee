"""Damaged files of every format, each read in a process with limits; ``make fuzz`` reads more."""

from __future__ import annotations

import secrets
from pathlib import Path

import fuzz
import pytest

pytestmark = pytest.mark.kernel  # the good archive is made by a model


def test_thirty_of_each_format(tmp_path: Path):
    seed = secrets.randbelow(2**31)
    counts, failures = fuzz.run(30, seed, tmp_path)
    assert failures == [], seed
    assert counts.keys() == fuzz.LOAD.keys()
    for ends in counts.values():
        assert sum(ends.values()) == 30
        assert ends["error"] > 0


def test_damage_is_damage():
    content = bytes(range(256)) * 20
    random = fuzz.np.random.default_rng(1)
    assert sum(fuzz.damaged(content, random) != content for _ in range(100)) > 90


def test_other_values_than_the_file_are_seen(tmp_path: Path, monkeypatch):
    path = fuzz.make(tmp_path)["h5"]
    load = fuzz.LOAD["h5"]
    assert fuzz.outcome("h5", path) == "loaded"
    monkeypatch.setitem(fuzz.LOAD, "h5", lambda p: {k: a + 1 for k, a in load(p).items()})
    assert "has other values than the file" in fuzz.outcome("h5", path)
    monkeypatch.setitem(fuzz.LOAD, "h5", lambda p: dict(list(load(p).items())[1:]))
    assert fuzz.outcome("h5", path) == "other tensors than the config's"
