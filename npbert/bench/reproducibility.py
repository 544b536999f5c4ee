"""Who keeps the bits of a text's vectors, and when: npbert's promise, put to every engine.

Every engine computes the same texts alone, and then each time with one thing changed. What is
counted is texts whose hidden states are the same to the last bit. All of it on this one machine;
that npbert's bits are the same on every other, too, is for its tests to show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from npbert.bench import models, works
from npbert.bench.engines import Entry
from npbert.bench.process import EngineError
from npbert.bench.report import Section
from npbert.bench.session import Session
from npbert.bench.works import Batch, Ids

LENGTHS: Final = (5, 9, 17, 23, 30, 36, 50, 77)
EQUAL: Final = 30
MARGIN: Final = 13


class Change(NamedTuple):
    """What is changed: its column, the texts' batches, and the number of threads (0: as asked)."""

    column: str
    batches: Callable[[Sequence[Ids]], list[Batch]]
    threads: int = 0


def _alone(sequences: Sequence[Ids]) -> list[Batch]:
    return [works.pad(sequences, [i]) for i in range(len(sequences))]


def _padded(sequences: Sequence[Ids]) -> list[Batch]:
    return [works.pad(sequences, [i], len(ids) + MARGIN) for i, ids in enumerate(sequences)]


def _equal(sequences: Sequence[Ids]) -> list[Batch]:
    """All in one batch without any padding, in the order of their numbers."""
    return [works.pad([ids[:EQUAL] for ids in sequences], range(len(sequences)))]


def _equal_alone(sequences: Sequence[Ids]) -> list[Batch]:
    return _alone([ids[:EQUAL] for ids in sequences])


def _backwards(sequences: Sequence[Ids]) -> list[Batch]:
    cut = [ids[:EQUAL] for ids in sequences]
    return [works.pad(cut, range(len(cut))[::-1])]


CHANGES: Final = (
    Change("again", _alone),
    Change(f"{MARGIN} tokens of padding", _padded),
    Change("in one padded batch", works.one_batch),
    Change("1 thread", _alone, 1),
    Change("2 threads", _alone, 2),
)
EQUAL_CHANGES: Final = (
    Change("in a full batch", _equal),
    Change("elsewhere in the batch", _backwards),
)


def run(session: Session) -> tuple[str, list[Section], Any]:
    """Try every engine: a name for the record, a table, and its data."""
    name = "tiny" if session.settings.quick else "minilm"
    model = session.model(name)
    session.keep(model)
    vocabulary = models.config_of(model).vocabulary_size
    columns = ("engine", *(change.column for change in (*CHANGES, *EQUAL_CHANGES)))
    about = (
        f"{models.MODELS[name].about}; {len(LENGTHS)} texts of {LENGTHS[0]} to {LENGTHS[-1]} tokens"
        f" (full batches: {EQUAL} tokens each): how many have the very bits that they have alone"
    )
    section = Section("reproducibility, on one machine", about, columns, [])
    entries = [entry for entry in session.entries if "shape" in entry.works]
    data: dict[str, dict[str, str]] = {}
    with session.bar("reproducibility", len(entries)) as advance:
        for entry in entries:
            cells = _row(session, entry, vocabulary)
            data[entry.name] = dict(zip(columns[1:], cells, strict=True))
            section.rows.append([entry.name, *cells])
            advance(1)
    return "reproducibility", [section], data


def _row(session: Session, entry: Entry, vocabulary: int) -> list[str]:
    seed = session.settings.seed
    various = works.draw(LENGTHS, vocabulary, seed)
    equal = works.draw([EQUAL] * len(LENGTHS), vocabulary, seed)
    cells: list[str] = []
    for sequences, changes, base in (
        (various, CHANGES, _alone),
        (equal, EQUAL_CHANGES, _equal_alone),
    ):
        for change in changes:
            try:
                cells.append(_count(session, entry, sequences, change, base))
            except EngineError as error:
                cells.append(f"FAILED: {error}")
    return cells


def _count(
    session: Session,
    entry: Entry,
    sequences: Sequence[Ids],
    change: Change,
    base: Callable[[Sequence[Ids]], list[Batch]],
) -> str:
    """``"all"``, or how many of the texts keep their bits."""
    usual = max(session.settings.threads)
    alone = _hashes(session, entry, usual, base(sequences))
    changed = _hashes(session, entry, change.threads or usual, change.batches(sequences))
    kept = sum(alone[text] == changed[text] for text in alone)
    return "all" if kept == len(alone) else f"{kept} of {len(alone)}"


def _hashes(
    session: Session, entry: Entry, threads: int, batches: Sequence[Batch]
) -> dict[str, str]:
    name = "tiny" if session.settings.quick else "minilm"
    process = session.engine(entry, session.model(name), threads)
    path = works.save(session.scratch / "bits.npz", batches)
    process.ask("batches", job="bits", path=str(path))
    found: dict[str, str] = process.ask("bits", job="bits")["hashes"]
    return found
