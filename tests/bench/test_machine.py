"""What is said of the machine."""

from __future__ import annotations

import json
import sys

import pytest

from npbert.bench import machine


def test_a_description_is_plain_and_has_no_blanks():
    found = machine.describe()
    assert json.loads(json.dumps(found)) == found
    assert found["cpus_usable"] >= 1
    assert not {None, ""} & {value for value in found.values() if isinstance(value, str | None)}


@pytest.mark.skipif(sys.platform != "linux", reason="from /proc and /sys")
def test_on_linux_it_is_detailed():
    found = machine.describe()
    assert found["memory_bytes"] > 2**28
    assert found["flags"] == sorted(found["flags"])
    assert set(machine.ticks()) == set(machine._TICKS)


def test_stolen_time(tmp_path):
    files = []
    for i, line in enumerate(("cpu 10 0 10 70 0 0 0 10 0 0", "cpu 60 0 20 90 0 0 0 30 0 0")):
        files.append(tmp_path / str(i))
        files[-1].write_text(f"{line}\ncpu0 1 2 3\n")
    assert machine.stolen(*map(machine.ticks, files)) == 20 / 100
    assert machine.ticks(tmp_path / "missing") == {}


def test_versions_of_what_is_there():
    assert list(machine.versions(["numpy", "no-such-distribution"])) == ["numpy"]
