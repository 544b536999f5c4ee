"""A report for the screen: the verdict and the diagnosis first, then bars of the stages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING, Final

from npbert.parity.reports.facts import facts
from npbert.parity.reports.words import (
    because,
    counted,
    excerpt,
    headline,
    number,
    times,
    used,
    visible,
)
from npbert.parity.types import Report, StageReport

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

ROWS: Final = 40
"""Of more stages, those that matter are shown."""

_CELLS: Final = 8
"""Of a bar, up to the tolerance; past it, an arrow for each power of ten."""

_MOST_ARROWS: Final = 4
_MARKS: Final = "▶ first to differ, ● made here; "
_CAPTION: Final = "a's op, b's op: the error of the op alone, on its own input"
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_SIGNS: Final = {
    "agree": ("✔", "bold green"),
    "differ": ("✘", "bold red"),
    "not comparable": ("?", "bold yellow"),
}


def render(report: Report) -> str:
    """The report as text of 100 columns, without colour."""
    from rich.console import Console

    console = Console(file=StringIO(), width=100, color_system=None)
    console.print(screen(report))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def screen(report: Report) -> RenderableType:
    """The report for a console of rich."""
    from rich.console import Group
    from rich.text import Text

    sign, style = _SIGNS[report.verdict]
    lines = [_hanging(sign, headline(report), style)]
    lines += [_hanging(" ", line, "bold") for line in because(report)]
    tables = [_stages(report)] if report.stages else []
    notes = [_hanging("note:", note, "dim") for note in report.notes]
    return Group(*lines, Text(), *tables, Text(), _facts(report), *notes)


def bar(stage: StageReport) -> str:
    """The difference against its tolerance; the mark ``▏`` after eight cells is the tolerance."""
    share = used(stage)
    if share <= 1:
        eighths = round(share * _CELLS * 8) or (share > 0)
        whole = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
        return f"{whole:<{_CELLS}}▏"
    decades = _MOST_ARROWS if not math.isfinite(share) else math.floor(math.log10(share)) + 1
    return "█" * _CELLS + "▏" + "▶" * min(decades, _MOST_ARROWS)


def _hanging(sign: str, text: str, style: str) -> Table:
    """A paragraph that stands beside its sign."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    table.add_row(Text(sign, style), Text(visible(text), style))
    return table


def _stages(report: Report) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    table.caption = f"{_MARKS if report.first else ''}{_CAPTION}"
    table.caption_justify = "left"
    table.add_column("  stage", no_wrap=True)
    table.add_column("largest", justify="right", no_wrap=True)
    table.add_column(f"{'of tolerance':<{_CELLS + 1 + _MOST_ARROWS}}", no_wrap=True)
    for column in ("times", "a's op", "b's op"):
        table.add_column(column, justify="right", no_wrap=True)
    for stage in excerpt(report, ROWS):
        table.add_row(*_cells(report, stage))
    return table


def _cells(report: Report, stage: StageReport | int) -> Iterator[Text]:
    from rich.text import Text

    if isinstance(stage, int):
        yield Text(f"  … {counted(stage, 'more stage')}", "dim")
        return
    found, marked = stage.difference, stage.stage in (report.first, report.guilty)
    style = "bold red" if marked else "" if stage.agrees else "red"
    sign = "▶" if stage.stage == report.first else "●" if marked else " "
    yield Text(f"{sign} {visible(stage.stage)}", style)
    yield Text(number(found.max_abs, 2) if found else "shapes", style)
    yield Text(bar(stage), "green" if stage.agrees else "red")
    yield Text(times(used(stage)) if found else "–", style)
    for error in stage.local:
        yield Text(number(error, 2))


def _facts(report: Report) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, text in facts(report):
        table.add_row(Text(name, "bold"), Text(text))
    return table
