"""Texts in, vectors out, tokenizing included: each peer at its best batch size and threading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from npbert.bench import models, texts, works
from npbert.bench.experiments import compete
from npbert.bench.race import Contestant, Race
from npbert.bench.session import Session
from npbert.bench.text_sweep import Files, sweep
from npbert.bench.works import Work
from npbert.text.tokenizer import load_tokenizer

QUICK_TEXTS: Final = 40
CHECKED: Final = 64
"""Texts on which every choice of an engine is compared with npbert."""


def run(session: Session, work: Work) -> Race:
    """Sweep every peer's settings, then race all at their best."""
    settings, model = session.settings, session.model(work.model)
    listed = texts.make(QUICK_TEXTS if settings.quick else texts.COUNT, settings.seed)
    found = _race_of(listed, work, model)
    return compete(session, found, _best_of_each(session, model, listed, found))


def _race_of(listed: list[str], work: Work, model: Path) -> Race:
    """The race, with nobody in it yet."""
    config = models.config_of(model)
    limit = min(works.TEXT_LIMIT, config.max_sequence_length)
    lengths = load_tokenizer(model, "hugging_face").encode(listed, limit).lengths
    about = (
        f"{models.MODELS[work.model].about}; {len(listed):,} texts of docstrings and locale data,"
        f" {lengths.min()} to {lengths.max()} tokens, mean {lengths.mean():.1f},"
        " tokenizing included"
    )
    found = Race(work.name, about, works.flops(config, lengths.tolist()), len(listed), [])
    found.notes.append(f"SHA-256 of the texts: {texts.sha256(listed)}")
    return found


def _best_of_each(
    session: Session, model: Path, listed: list[str], found: Race
) -> list[Contestant]:
    """Each engine at the settings that won its sweep, npbert first."""
    names = ("texts.json", "some-texts.json", "npbert-vectors.npy")
    files = Files(*(session.scratch / name for name in names))
    files.texts.write_text(json.dumps(listed), encoding="utf-8")
    files.some.write_text(json.dumps(listed[:CHECKED]), encoding="utf-8")
    files.vectors.unlink(missing_ok=True)
    entries = [entry for entry in session.entries if "text" in entry.works]
    chosen: list[Contestant] = []
    with session.bar("texts: each engine's batch size and threading", len(entries)) as advance:
        for entry in entries:
            for threads in session.settings.threads:
                best, notes = sweep(session, entry, model, threads, files)
                chosen += best
                found.notes += notes
            advance(1)
    return chosen
