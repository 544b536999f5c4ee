"""How long a caller waits when several threads of one process call at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from npbert.bench import models, race, works
from npbert.bench.experiments import compute
from npbert.bench.process import EngineError, EngineProcess
from npbert.bench.report import Section, milliseconds, ratio
from npbert.bench.session import Session

CALLERS: Final = (1, 2, 4)
TOKENS: Final = 32
CALLS: Final = 40  # of each caller in each round
ROUNDS: Final = 5
LEFT_OUT: Final = ("npbert-tanh", "openvino-throughput")
"""The first costs what npbert costs; the second cannot share one sequence between its streams."""

COLUMNS: Final = (
    *("engine", "callers", "p50 ms", "p99 ms", "texts per second", "ratio, p50", "ratio, p99"),
)
Key = tuple[str, int]


def run(session: Session) -> tuple[str, list[Section], Any]:
    """Measure every engine: a name for the record, a table, and its data."""
    quick = session.settings.quick
    name, calls, rounds = ("tiny", 5, 1) if quick else ("minilm", CALLS, ROUNDS)
    threads = max(session.settings.threads)
    about = (
        f"{models.MODELS[name].about}; 1 x {TOKENS} tokens in every call, each engine with"
        f" {threads} threads, {calls} calls of each caller in each of {rounds} rounds, in turn"
    )
    section = Section("latency under callers that call at once", about, COLUMNS, [])
    processes = _start(session, name, threads, section)
    seconds: dict[Key, list[float]] = {}
    with session.bar("latency", rounds * len(CALLERS) * len(processes)) as advance:
        for number in range(rounds):
            for callers in CALLERS:
                for process in race.order(processes, number):
                    _turn(session, process, callers, calls, seconds, section)
                    advance(1)
    section.rows = [_cells(key, seconds) for key in sorted(seconds, key=lambda key: key[1])]
    data = [{"engine": e, "callers": n, "seconds": each} for (e, n), each in seconds.items()]
    return "latency", [section], data


def _start(session: Session, name: str, threads: int, section: Section) -> list[EngineProcess]:
    """The engines that run, with one sequence to work on."""
    model = session.model(name)
    session.keep(model)
    vocabulary = models.config_of(model).vocabulary_size
    batches = works.one_batch(works.draw([TOKENS], vocabulary, session.settings.seed))
    entries = [e for e in session.entries if "shape" in e.works and e.name not in LEFT_OUT]
    processes: list[EngineProcess] = []
    with session.bar("latency: starting engines", len(entries)) as advance:
        for entry in entries:
            try:
                process = session.engine(entry, model, threads)
                compute(session, process, "latency", batches)
                processes.append(process)
            except EngineError as error:
                section.notes.append(f"{entry.name} FAILED: {error}")
            advance(1)
    return processes


def _turn(
    session: Session,
    process: EngineProcess,
    callers: int,
    calls: int,
    seconds: dict[Key, list[float]],
    section: Section,
) -> None:
    try:
        answer = process.ask("latency", job="latency", callers=callers, calls=calls)
    except EngineError as error:
        section.notes.append(f"{process.name}, {callers} callers FAILED: {error}")
        return
    seconds.setdefault((process.name, callers), []).extend(answer["seconds"])
    process.settle(session.settings.pause)


def _cells(key: Key, seconds: dict[Key, list[float]]) -> list[str]:
    engine, callers = key
    p50, p99 = percentiles(seconds[key])
    ratios = ["-", "-"]
    if ours := seconds.get(("npbert", callers)):
        itself = engine == "npbert"
        pairs = zip((p50, p99), percentiles(ours), strict=True)
        ratios = [ratio(theirs / our, itself=itself) for theirs, our in pairs]
    per_second = callers / float(np.mean(seconds[key]))
    times = (milliseconds(p50), milliseconds(p99))
    return [engine, str(callers), *times, f"{per_second:,.0f}", *ratios]


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """The 50th and the 99th."""
    p50, p99 = np.percentile(seconds, [50, 99])
    return float(p50), float(p99)
