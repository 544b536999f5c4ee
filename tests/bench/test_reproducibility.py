"""Who keeps the bits."""

from __future__ import annotations

import pytest

from npbert.bench import reproducibility
from npbert.bench.process import EngineError


@pytest.mark.kernel
def test_npbert_keeps_all_of_them(session):
    name, (section,), data = reproducibility.run(session)
    assert name == "reproducibility"
    columns = ["again", "13 tokens of padding", "in one padded batch", "1 thread", "2 threads"]
    columns += ["in a full batch", "elsewhere in the batch"]
    assert data["npbert"] == dict.fromkeys(columns, "all")
    assert section.rows[0] == ["npbert", *["all"] * 7]


@pytest.mark.kernel
def test_who_does_not_is_counted(session, monkeypatch):
    """An engine whose bits are its batch's size."""
    hashes = reproducibility._hashes

    def sized(session, entry, threads, batches):
        found = hashes(session, entry, threads, batches)
        return {text: f"{each}{len(batches)}" for text, each in found.items()}

    monkeypatch.setattr(reproducibility, "_hashes", sized)
    _, _, data = reproducibility.run(session)
    assert data["npbert"]["again"] == "all"
    assert data["npbert"]["in one padded batch"] == "0 of 8"


def test_who_fails_is_shown(session, monkeypatch):
    def broken(*_):
        raise EngineError("killed")

    monkeypatch.setattr(reproducibility, "_hashes", broken)
    _, (section,), _ = reproducibility.run(session)
    assert set(section.rows[0][1:]) == {"FAILED: killed"}
