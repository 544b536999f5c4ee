"""Token ids in, hidden states out: rectangular batches, and ragged ones done in several ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from npbert.bench import checks, models, race, works
from npbert.bench.engines import ENGINES, Entry
from npbert.bench.process import EngineError, EngineProcess
from npbert.bench.race import Contestant, Race, Row
from npbert.bench.session import Session
from npbert.bench.works import Batch, Ids, Work

SORTED_BATCH: Final = 8


class Way(NamedTuple):
    """A way of doing a ragged batch: what a table calls it, and its batches."""

    how: str
    batches: Callable[[Sequence[Ids]], list[Batch]]


RAGGED: Final = {
    "ragged": Way("one call, padding skipped", works.one_batch),
    "padded": Way("one call, padded", works.one_batch),
    "sorted": Way(
        f"sorted by length, batches of {SORTED_BATCH}",
        lambda sequences: works.sorted_batches(sequences, SORTED_BATCH),
    ),
}
PEERS, KERAS = "peers", "Keras Hub"
PADDED, SORTED = "peers, padded", "peers that sort or skip padding"


class Job(NamedTuple):
    """One way of an engine to do a work."""

    how: str
    group: str
    batches: list[Batch]


def run(session: Session, work: Work) -> Race:
    """Race all engines on one work of token ids."""
    model = session.model(work.model)
    config = models.config_of(model)
    lengths = [work.T] * work.B
    if work.kind == "ragged":
        most = min(works.RAGGED_MOST, config.max_sequence_length)
        lengths = works.ragged_lengths(session.settings.seed, most)
    sequences = works.draw(lengths, config.vocabulary_size, session.settings.seed)
    about = f"{models.MODELS[work.model].about}; {describe(lengths)}"
    found = Race(work.name, about, works.flops(config, lengths), len(lengths), [])
    if work.kind == "ragged":
        found.notes.append(f"lengths, of seed {session.settings.seed}: {lengths}")
    return compete(session, found, enter(session, work, model, sequences))


def compete(session: Session, found: Race, contestants: Sequence[Contestant]) -> Race:
    """Let them race, in turn; ``found`` gets their rows."""
    settings = session.settings
    found.rows = [contestant.row for contestant in contestants]
    with session.bar(found.work, len(contestants) * settings.rounds) as advance:
        yardstick = session.yardstick()
        race.run(found, contestants, settings.rounds, settings.pause, yardstick, advance)
    return found


def describe(lengths: Sequence[int]) -> str:
    """The batch in words."""
    if len(set(lengths)) == 1:
        return f"{len(lengths)} x {lengths[0]} tokens, no padding"
    mean = sum(lengths) / len(lengths)
    padded = len(lengths) * max(lengths)
    return (
        f"{len(lengths)} texts of {min(lengths)} to {max(lengths)} tokens, mean {mean:.1f};"
        f" {sum(lengths) / padded:.0%} of the padded batch are tokens"
    )


def jobs(entry: Entry, work: Work, sequences: Sequence[Ids]) -> list[Job]:
    """The ways of an engine to do a work, none if it cannot."""
    if work.kind not in entry.works:
        return []
    if work.kind == "shape":
        if entry.name == "openvino-throughput" and work.B == 1:
            return []  # one sequence cannot be shared between streams
        group = KERAS if entry.reference != "npbert" else PEERS
        return [Job("", group, works.one_batch(sequences))]
    return [
        Job(RAGGED[way].how, _group(entry, way), RAGGED[way].batches(sequences))
        for way in entry.ragged
    ]


def _group(entry: Entry, way: str) -> str:
    return SORTED if way == "sorted" or entry.name == "ctranslate2" else PADDED


def enter(session: Session, work: Work, model: Path, sequences: Sequence[Ids]) -> list[Contestant]:
    """Contestants whose engine is loaded and has shown that it computes the same; npbert first."""
    entries = [entry for entry in session.entries if work.kind in entry.works]
    contestants: list[Contestant] = []
    ours: dict[tuple[str, int], checks.Vectors] = {}
    with session.bar(f"{work.name}: starting engines", len(entries)) as advance:
        for entry in entries:
            for threads in session.settings.threads:
                for job in jobs(entry, work, sequences):
                    contestants.append(_enter(session, entry, model, threads, work, job, ours))
            advance(1)
    return contestants


def _enter(
    session: Session,
    entry: Entry,
    model: Path,
    threads: int,
    work: Work,
    job: Job,
    ours: dict[tuple[str, int], checks.Vectors],
) -> Contestant:
    row = Row(entry.name, job.how, threads, job.group, entry.reference)
    name = f"{work.name} {job.how}"
    try:
        process = session.engine(entry, model, threads)
        outputs = compute(session, process, name, job.batches)
    except EngineError as error:
        row.error = str(error)
        return Contestant(row, (), name)
    if row.is_npbert:
        ours[entry.name, threads] = outputs
    if (entry.reference, threads) in ours:
        row.difference = checks.difference(ours[entry.reference, threads], outputs)
        row.error = checks.verdict(row.difference, entry.tolerance)
    return Contestant(row, (process,), name)


def compute(
    session: Session, process: EngineProcess, name: str, batches: Sequence[Batch]
) -> checks.Vectors:
    """Give an engine a job, and return what it computes, text by text.

    Raises:
        EngineError: it cannot.
    """
    path = works.save(session.scratch / "batches.npz", batches)
    process.ask("batches", job=name, path=str(path))
    outputs = session.scratch / "outputs.npz"
    process.ask("check", job=name, path=str(outputs))
    process.settle(0.0)
    return checks.by_text(batches, outputs)


assert all(way in RAGGED for entry in ENGINES.values() for way in entry.ragged)
