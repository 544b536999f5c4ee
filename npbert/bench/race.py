"""A race: rounds in which every contestant has its turn, so that the machine's moods fall on all.

In its turn a contestant runs once uncounted, to find its way back into the caches, and then some
times counted. Then we wait until its threads no longer spin, and it is the next one's turn. The
order moves on by one from round to round and turns round every other time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from npbert.bench import machine
from npbert.bench.process import EngineError, EngineProcess

TURN: Final = 0.3
"""Seconds that npbert's counted calls take in one turn, about; the others make as many calls."""

MOST_CALLS: Final = 20


@dataclass
class Row:
    """One contestant's results.

    Args:
        engine: its name in the table of engines.
        how: how it does the work: batches, callers.
        threads: in all.
        group: whom npbert is compared with in one line of the summary.
        difference: the largest, from npbert's numbers.
        error: why there are no figures, or None.
        seconds: of every counted call.
        reference: the npbert it is compared with.
    """

    engine: str
    how: str
    threads: int
    group: str
    reference: str = "npbert"
    difference: float | None = None
    error: str | None = None
    seconds: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The fastest call: what the engine can do when nothing disturbs it."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The call in the middle: what one can expect."""
        return statistics.median(self.seconds)

    @property
    def is_npbert(self) -> bool:
        """Whether others are compared with this one."""
        return self.engine.startswith("npbert")


@dataclass
class Contestant:
    """A row, and the processes that do its work: one, or several that each do a part.

    ``warm`` is what runs uncounted before each turn: the job, or a smaller one like it.
    """

    row: Row
    processes: Sequence[EngineProcess]
    job: str
    warm: str = ""

    def time(self, calls: int) -> list[float]:
        """Seconds of some calls, after one that does not count."""
        warm = self.warm or self.job
        if len(self.processes) == 1:
            answer = self.processes[0].ask("time", job=self.job, warm=warm, calls=calls)
            return [float(each) for each in answer["seconds"]]
        self._together(warm)
        return [self._together(self.job) for _ in range(calls)]

    def _together(self, job: str) -> float:
        """Seconds until all have done their part."""
        start = time.perf_counter()
        for process in self.processes:
            process.send("time", job=job, warm=None, calls=1)
        for process in self.processes:
            process.answer()
        return time.perf_counter() - start

    def settle(self, pause: float) -> None:
        """Wait until its threads no longer spin."""
        self.processes[0].settle(pause)
        for process in self.processes[1:]:
            process.settle(0.0)


@dataclass
class Race:
    """One work, and how it went.

    Args:
        work: its name.
        about: what was computed, in words.
        flops: operations that the work needs.
        texts: how many texts it is.
        rows: the contestants' results.
        peaks: threads -> operations a second of independent FMA loops, best of the rounds.
        rounds, calls: how often, and how many counted calls a turn.
        stolen: the share of the CPUs' time that other guests of the host took meanwhile.
        notes: lines below the table.
    """

    work: str
    about: str
    flops: int
    texts: int
    rows: list[Row]
    peaks: dict[int, float] = field(default_factory=dict)
    rounds: int = 0
    calls: int = 1
    stolen: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def of_texts(self) -> bool:
        """Whether it begins with texts rather than token ids."""
        return self.work.endswith("-text")

    def reference(self, row: Row) -> Row | None:
        """The npbert that a row is compared with: the same function, as many threads."""
        found = [r for r in self.rows if r.engine == row.reference and r.threads == row.threads]
        return found[0] if found and found[0].seconds else None


def run(
    race: Race,
    contestants: Sequence[Contestant],
    rounds: int,
    pause: float,
    yardstick: EngineProcess | None,
    advance: Callable[[int], None],
    calls: int = 0,
) -> None:
    """Fill in the rows of ``race``. Who fails is out, and its row says why.

    Args:
        race: holds the contestants' rows.
        contestants: who races; those with an error do not start.
        rounds: how many.
        pause: seconds between turns, at least.
        yardstick: the process that measures the FMA peak once a round, if there is one.
        advance: told of each turn.
        calls: counted ones in a turn; 0 for as many as fill npbert's.
    """
    before = machine.ticks()
    race.rounds, race.calls = rounds, calls or _calls(contestants)
    counts = sorted({row.threads for row in race.rows})
    for number in range(rounds):
        for contestant in order(contestants, number):
            _turn(contestant, race.calls, pause)
            advance(1)
        if yardstick:
            _measure_peaks(race, counts, yardstick)
    if before:
        race.stolen = machine.stolen(before, machine.ticks())


def order(contestants: Sequence[Any], number: int) -> list[Any]:
    """Who comes when in a round."""
    start = number % max(1, len(contestants))
    turned = [*contestants[start:], *contestants[:start]]
    return turned[::-1] if number % 2 else turned


def _turn(contestant: Contestant, calls: int, pause: float) -> None:
    if contestant.row.error is not None:
        return
    try:
        contestant.row.seconds += contestant.time(calls)
        contestant.settle(pause)
    except EngineError as error:
        contestant.row.error = str(error)


def _calls(contestants: Sequence[Contestant]) -> int:
    """As many calls as fill npbert's turn."""
    running = sorted(
        (c for c in contestants if c.row.error is None), key=lambda c: not c.row.is_npbert
    )
    if not running:
        return 1
    first = running[0]
    try:
        seconds = min(first.time(2))
    except EngineError as error:
        first.row.error = str(error)
        return 1
    first.settle(0.0)
    return max(1, min(MOST_CALLS, round(TURN / seconds)))


def _measure_peaks(race: Race, counts: Sequence[int], yardstick: EngineProcess) -> None:
    for threads in sorted({1, *counts}):
        try:
            flops = float(yardstick.ask("peak", threads=threads)["flops"])
        except EngineError as error:
            note = f"no FMA peak: {error}"
            race.notes += [note] if note not in race.notes else []
            return
        race.peaks[threads] = max(flops, race.peaks.get(threads, 0.0))
