"""Damaged files of every format, each read in a process with limits; ``make fuzz`` reads more."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import fuzz
import fuzz_formats
import pytest

pytestmark = pytest.mark.kernel  # the good archive is made by a model


def test_thirty_of_each_format(tmp_path: Path):
    seed = secrets.randbelow(2**31)
    counts, failures = fuzz.run(30, seed, tmp_path)
    assert failures == [], seed
    assert counts.keys() == fuzz_formats.LOAD.keys()
    for ends in counts.values():
        assert sum(ends.values()) == 30
        assert ends["error"] > 0


def test_damage_is_damage():
    content = bytes(range(256)) * 20
    random = fuzz.np.random.default_rng(1)
    assert sum(fuzz.damaged(content, random) != content for _ in range(100)) > 90


def test_a_changed_index_is_an_index(tmp_path: Path):
    path = fuzz_formats.make(tmp_path)["h5_index"]
    random = fuzz.np.random.default_rng(1)
    changed = [json.loads(fuzz._changed(path.read_bytes(), random)) for _ in range(40)]
    assert sum(each != json.loads(path.read_bytes()) for each in changed) > 20


def test_other_values_than_the_file_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = fuzz_formats.make(tmp_path)["h5"]
    load = fuzz_formats.LOAD["h5"]

    def ends(change, distrust=False):
        def changed(path, *, trust):
            return change(load(path, trust=trust), trust)

        monkeypatch.setitem(fuzz_formats.LOAD, "h5", changed)
        return fuzz_formats.outcome("h5", path, distrust)

    assert ends(lambda arrays, trust: arrays, distrust=True) == "loaded"
    more = ends(lambda arrays, trust: {name: array + 1 for name, array in arrays.items()})
    assert "has other values than the file" in more
    fewer = ends(lambda arrays, trust: dict(list(arrays.items())[1:]))
    assert fewer == "other tensors than the config's"
    other = ends(lambda arrays, trust: arrays if trust else {}, distrust=True)
    assert other.startswith("with trust=False it ended otherwise")
