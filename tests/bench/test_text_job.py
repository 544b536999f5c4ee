"""The text job: texts to vectors, in parts or in one."""

from __future__ import annotations

import dataclasses
import re

import pytest

from npbert.bench import text_job, text_sweep, works
from npbert.bench.process import EngineError
from npbert.bench.text_sweep import Choice

(WORK,) = works.parse(["tiny-text"])


@pytest.mark.kernel
def test_texts_to_vectors(session, monkeypatch):
    """npbert, tried like a peer: as one caller, and as two that have a part of the texts each."""
    tried = [Choice(32, 1, 2), Choice(8, 2, 1)]
    monkeypatch.setattr(text_sweep, "choices", lambda entry, threads, quick: tried)
    monkeypatch.setattr(session, "settings", dataclasses.replace(session.settings, threads=(2,)))
    found = text_job.run(session, WORK)
    assert found.texts == text_job.QUICK_TEXTS
    (best,) = found.rows
    assert (best.engine, best.threads, best.error, best.difference) == ("npbert", 2, None, 0)
    assert len(best.seconds) == 2 * found.calls
    assert found.notes[0].startswith("SHA-256 of the texts: ")
    note = (
        r"npbert, sweep: batch 32, one caller with 2 threads \d+ ms; batch 8, 2 callers .* \d+ ms"
    )
    assert re.fullmatch(note, found.notes[1])


@pytest.mark.kernel
def test_who_fails_is_in_the_table(session, monkeypatch):
    def broken(*_):
        raise EngineError("out of memory")

    monkeypatch.setattr(text_sweep, "vectors_of", broken)
    found = text_job.run(session, WORK)
    assert {row.error for row in found.rows} == {"out of memory"}
