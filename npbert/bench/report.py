"""Results as tables, which a terminal and Markdown show alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from npbert.bench.race import Race, Row

LOSS: Final = "loss"


@dataclass
class Section:
    """A table with what stands above and below it. The first column is text, the rest figures."""

    title: str
    about: str
    columns: Sequence[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)
    left: int = 1  # columns of text


RACE_COLUMNS: Final = (
    *("engine", "how", "threads", "best ms", "median ms", "GFLOP/s", "% of peak"),
    *("ratio, best", "ratio, median", "largest difference"),
)
TEXT_COLUMN: Final = "texts per core-hour"


def race_section(race: Race) -> Section:
    """One race: fastest first, who failed last."""
    done = sorted((row for row in race.rows if row.seconds), key=lambda row: row.best)
    columns = [*RACE_COLUMNS, *([TEXT_COLUMN] if race.of_texts else [])]
    section = Section(race.work, race.about, columns, [_cells(race, row) for row in done])
    section.left = 2
    for row in race.rows:
        if not row.seconds:
            nothing = ["-"] * (len(columns) - 4)
            failed = f"FAILED: {row.error}"
            section.rows.append([row.engine, row.how, str(row.threads), failed, *nothing])
        elif row.error is not None:
            section.notes.append(f"{row.engine} failed before the end: {row.error}")
    section.notes += [*_peak_notes(race), *race.notes]
    return section


def _cells(race: Race, row: Row) -> list[str]:
    rate = race.flops / row.best
    peak = race.peaks.get(row.threads)
    reference = race.reference(row)
    ratios = ["-", "-"]
    if reference is not None:
        ratios = [
            ratio(value, itself=reference is row, peer=not row.is_npbert)
            for value in (row.best / reference.best, row.median / reference.median)
        ]
    return [
        *(row.engine, row.how, str(row.threads), milliseconds(row.best), milliseconds(row.median)),
        *(f"{rate / 1e9:.1f}", f"{rate / peak:.0%}" if peak else "-"),
        *ratios,
        "-" if row.difference is None or reference is row else f"{row.difference:.1e}",
        *([f"{core_hours(race, row):,.0f}"] if race.of_texts else []),
    ]


def core_hours(race: Race, row: Row) -> float:
    """Texts in an hour on one thread's share."""
    return race.texts * 3600 / (row.best * row.threads)


def milliseconds(seconds: float) -> str:
    """Four figures, more or less."""
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 100 else f"{value:.3g}"


def ratio(value: float, *, itself: bool = False, peer: bool = True) -> str:
    """An engine's time over npbert's. Below 1 it is faster; of a peer, the cell says so."""
    if itself:
        return "1"
    return f"{value:.2f} {LOSS}" if peer and value < 1 else f"{value:.2f}"


def _peak_notes(race: Race) -> Iterator[str]:
    if race.rounds:
        steal = "" if race.stolen is None else f"; {race.stolen:.1%} of CPU time stolen by the host"
        calls = "1 call" if race.calls == 1 else f"{race.calls} calls"
        yield f"{race.rounds} rounds, {calls} in each, engines in turn{steal}"
    for threads, flops in sorted(race.peaks.items()):
        loops = "1 FMA loop" if threads == 1 else f"{threads} independent FMA loops"
        over = f", {flops / race.peaks[1]:.2f} of one" if threads > 1 else ""
        yield f"measured peak, {loops}: {flops / 1e9:.1f} GFLOP/s{over}"
    ours = [row for row in race.rows if row.engine == "npbert" and row.seconds]
    alone = next((row for row in ours if row.threads == 1), None)
    for row in ours:
        if alone and row is not alone:
            yield f"npbert, {row.threads} threads over 1: {alone.best / row.best:.2f}"


SUMMARY_COLUMNS: Final = (
    *("work", "against", "threads", "npbert ms", "best peer", "ms", "ratio, best"),
    "ratio, median",
)


def summary(races: Sequence[Race]) -> Section:
    """npbert and the best of each group of peers, work by work."""
    rows = [line for race in races for line in _summary(race)]
    about = "a peer's time over npbert's: above 1, npbert is faster"
    section = Section("npbert and the best peer", about, SUMMARY_COLUMNS, rows)
    section.left = 2
    return section


def _summary(race: Race) -> Iterator[list[str]]:
    peers = [row for row in race.rows if row.seconds and not row.is_npbert]
    for group, threads in dict.fromkeys((row.group, row.threads) for row in peers):
        each = [row for row in peers if (row.group, row.threads) == (group, threads)]
        best = min(each, key=lambda row: row.best)
        soonest = min(each, key=lambda row: row.median)
        ours = race.reference(best)
        if ours is None:
            continue
        yield [
            *(race.work, group, str(threads), milliseconds(ours.best)),
            *(f"{best.engine} {best.how}".strip(), milliseconds(best.best)),
            *(ratio(best.best / ours.best), ratio(soonest.median / ours.median)),
        ]


def markdown(section: Section) -> str:
    """A heading, the table, and the notes as a list."""
    aligned = ["---"] * section.left + ["---:"] * (len(section.columns) - section.left)
    lines = [f"### {section.title}", ""]
    lines += [section.about, ""] if section.about else []
    lines += [_line(section.columns), _line(aligned), *map(_line, section.rows)]
    lines += ["", *(f"- {note}" for note in section.notes)] if section.notes else []
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def rich_table(section: Section) -> Any:
    """The table for a terminal; npbert's rows in bold, losses in colour."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=section.title, caption=section.about, title_style="bold")
    for i, column in enumerate(section.columns):
        table.add_column(column, justify="left" if i < section.left else "right")
    for cells in section.rows:
        ours = cells[0].startswith("npbert")
        styles = ["red" if cell.endswith(LOSS) or "FAILED" in cell else "" for cell in cells]
        texts = [Text(cell, style) for cell, style in zip(cells, styles, strict=True)]
        table.add_row(*texts, style="bold" if ours else "")
    return table


def plain(race: Race) -> dict[str, Any]:
    """A race as JSON has it."""
    found = dataclasses.asdict(race)
    for row, cells in zip(race.rows, found["rows"], strict=True):
        cells["best"] = row.best if row.seconds else None
        cells["median"] = row.median if row.seconds else None
    found["peaks"] = {str(threads): flops for threads, flops in race.peaks.items()}
    return found
