"""Callers that call at once."""

from __future__ import annotations

import pytest

from npbert.bench import latency
from npbert.bench.process import EngineError


@pytest.mark.kernel
def test_every_number_of_callers(session):
    name, (section,), data = latency.run(session)
    assert name == "latency"
    assert [line[:2] for line in section.rows] == [["npbert", str(n)] for n in latency.CALLERS]
    assert [len(each["seconds"]) for each in data] == [5 * n for n in latency.CALLERS]
    assert all(line[5:] == ["1", "1"] for line in section.rows)


@pytest.mark.kernel
def test_who_fails_has_a_note(session, monkeypatch):
    def broken(*_):
        raise EngineError("killed")

    monkeypatch.setattr(latency, "compute", broken)
    _, (section,), _ = latency.run(session)
    assert (section.rows, section.notes) == ([], ["npbert FAILED: killed"])


def test_a_peers_ratio():
    seconds = {("npbert", 2): [0.010] * 9 + [0.020], ("peer", 2): [0.005] * 9 + [0.040]}
    cells = latency._cells(("peer", 2), seconds)
    assert cells[:3] == ["peer", "2", "5"]
    assert (cells[5], cells[6] > "1.9") == ("0.50 loss", True)
    assert latency.percentiles([3.0, 1.0, 2.0])[0] == 2.0
