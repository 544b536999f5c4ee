"""The text job's sweep: what batch size and threading suit an engine best."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.bench import checks, race
from npbert.bench.engines import Entry
from npbert.bench.experiments import PEERS
from npbert.bench.process import EngineError, EngineProcess
from npbert.bench.race import Contestant, Race, Row
from npbert.bench.session import Session

BATCHES: Final = (4, 8, 16, 32)
DEFAULT_BATCH: Final = 32  # npbert's and SentenceTransformer's
ROUNDS: Final = 2
DEFAULTS: Final = "SentenceTransformer.encode at its defaults"


class Files(NamedTuple):
    """Where the texts are, some of them for a check, and npbert's vectors of those."""

    texts: Path
    some: Path
    vectors: Path


class Choice(NamedTuple):
    """A batch size, and how the threads are used."""

    batch_size: int
    callers: int  # processes; each has its share of the texts and of the threads
    threads: int  # of each

    @property
    def how(self) -> str:
        """In words."""
        if self.callers == 1:
            threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
            return f"batch {self.batch_size}, one caller with {threads}"
        return f"batch {self.batch_size}, {self.callers} callers with one thread each"


def choices(entry: Entry, threads: int, *, quick: bool = False) -> list[Choice]:
    """What to try: for npbert, its defaults alone; for a peer, every batch size both ways."""
    if entry.name.startswith("npbert"):
        return [Choice(DEFAULT_BATCH, 1, threads)]
    sizes = (8, DEFAULT_BATCH) if quick else BATCHES
    ways = [(1, threads)] if threads == 1 else [(1, threads), (threads, 1)]
    return [Choice(size, *way) for size in sizes for way in ways]


def sweep(
    session: Session, entry: Entry, model: Path, threads: int, files: Files
) -> tuple[list[Contestant], list[str]]:
    """An engine's contestants for the race: at its best, and perhaps at its defaults; with a note.

    Processes that are not among them are ended: there may be many.
    """
    quick = session.settings.quick
    tried = [
        enter(session, entry, model, choice, files)
        for choice in choices(entry, threads, quick=quick)
    ]
    trial = Race("", "", 0, 0, [contestant.row for contestant in tried])
    if len(tried) > 1:
        rounds = 1 if quick else ROUNDS
        race.run(trial, tried, rounds, session.settings.pause, None, lambda turns: None, calls=1)
    note = sweep_note(tried)
    good = [contestant for contestant in tried if contestant.row.error is None]
    best = min(good, key=lambda c: min(c.row.seconds, default=0.0), default=tried[0])
    chosen = [best, *(as_default(c) for c in tried if is_default(c.row))]
    kept = {process for contestant in chosen for process in contestant.processes}
    session.release(*(p for c in tried for p in c.processes if p not in kept))
    best.row.seconds = []
    return chosen, note


def enter(session: Session, entry: Entry, model: Path, choice: Choice, files: Files) -> Contestant:
    """An engine with the texts, that has shown on some of them that it computes the same."""
    row = Row(entry.name, choice.how, choice.callers * choice.threads, PEERS)
    made = Contestant(row, [], choice.how, warm=f"some texts, {choice.how}")
    try:
        made.processes = [
            session.engine(entry, model, choice.threads, part if choice.callers > 1 else -1)
            for part in range(choice.callers)
        ]
        _give(made, choice, made.warm, files.some)
        _check(session, made, files.vectors, entry.tolerance)
        _give(made, choice, made.job, files.texts)
    except EngineError as error:
        row.error = str(error)
    return made


def _give(contestant: Contestant, choice: Choice, job: str, texts: Path) -> None:
    settings: dict[str, Any] = {"batch_size": choice.batch_size, "parts": choice.callers}
    for part, process in enumerate(contestant.processes):
        process.ask("texts", job=job, path=str(texts), part=part, **settings)


def _check(session: Session, contestant: Contestant, ours: Path, tolerance: float) -> None:
    """Compare an engine's vectors with npbert's, which come first."""
    row, vectors = contestant.row, vectors_of(session, contestant.warm, contestant.processes)
    if row.is_npbert and not ours.exists():
        np.save(ours, vectors)
    if ours.exists():
        row.difference = checks.difference({0: np.load(ours)}, {0: vectors})
        row.error = checks.verdict(row.difference, tolerance)


def vectors_of(session: Session, job: str, processes: Sequence[EngineProcess]) -> NDArray[Any]:
    """The vectors of all texts, in their order, out of the parts.

    Raises:
        EngineError: an engine cannot compute them.
    """
    parts: list[NDArray[Any]] = []
    for process in processes:
        path = session.scratch / "vectors.npz"
        process.ask("check", job=job, path=str(path))
        process.settle(0.0)
        with np.load(path) as file:
            parts.append(file["0"])
    whole = np.empty((sum(map(len, parts)), parts[0].shape[1]), np.float32)
    for i, part in enumerate(parts):
        whole[i :: len(parts)] = part
    return whole


def is_default(row: Row) -> bool:
    """Whether this is how sentence-transformers runs unless told otherwise."""
    one_caller = f"batch {DEFAULT_BATCH}, one caller"
    return row.engine == "sentence-transformers" and row.how.startswith(one_caller)


def as_default(contestant: Contestant) -> Contestant:
    """The same contestant once more, in a group of its own."""
    row = contestant.row
    again = Row(row.engine, "at its defaults", row.threads, DEFAULTS)
    again.difference, again.error = row.difference, row.error
    return Contestant(again, contestant.processes, contestant.job, contestant.warm)


def sweep_note(tried: Sequence[Contestant]) -> list[str]:
    """One line: what every choice of an engine took."""
    if len(tried) < 2:
        return []
    times = [
        f"{c.row.how} {c.row.best * 1e3:.0f} ms" if c.row.seconds else f"{c.row.how} failed"
        for c in tried
    ]
    return [f"{tried[0].row.engine}, sweep: {'; '.join(times)}"]
