"""Results as a run would find them, made up."""

from __future__ import annotations

from npbert.bench.race import Race, Row


def row(engine: str, *seconds: float, **more: object) -> Row:
    """A row with these times, on two threads, against the peers."""
    fields = {"how": "", "threads": 2, "group": "peers", **more}
    return Row(engine, seconds=list(seconds), **fields)


def race(*rows: Row, work: str = "bert-base-8x128", texts: int = 8) -> Race:
    """A race of 12 GFLOP, with a peak of 50 GFLOP/s a thread."""
    made = Race(work, "what it is", 12_000_000_000, texts, list(rows), {1: 50e9, 2: 95e9})
    made.rounds, made.calls, made.stolen = 15, 1, 0.004
    return made
