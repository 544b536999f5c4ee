"""A report in Markdown, for the summary of a CI run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from npbert.parity.reports.facts import facts
from npbert.parity.reports.words import (
    because,
    counted,
    excerpt,
    headline,
    mark,
    number,
    times,
    used,
    visible,
)
from npbert.parity.types import Report, StageReport

ROWS: Final = 24
"""Of more stages, the table shows those that matter; all of them are folded up below it."""

_SIGNS: Final = {"agree": "✅", "differ": "❌", "not comparable": "❔"}
_COLUMNS: Final = (
    *("stage", "largest difference", "tolerance", "times tolerance", "noise"),
    *("op of a", "op of b", ""),
)


def render(report: Report) -> str:
    """A heading, the diagnosis, facts, and the stages as a table."""
    parts = [f"## {_SIGNS[report.verdict]} {escaped(headline(report))}"]
    parts += [f"**{escaped(line)}**" for line in because(report)]
    parts.append(_table(("", ""), [[f"**{name}**", escaped(text)] for name, text in facts(report)]))
    if report.stages:
        shown = excerpt(report, ROWS)
        parts.append(_table(_COLUMNS, [_row(report, each) for each in shown]))
        if len(shown) < len(report.stages):
            parts += [*_folded(report)]
    parts.append("\n".join(f"- {escaped(note)}" for note in report.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Text in which Markdown and HTML see nothing to act on."""
    return re.sub(r"([\\`*_{}\[\]<>|#~&$@])", r"\\\1", visible(text))


def _folded(report: Report) -> list[str]:
    table = _table(_COLUMNS, [_row(report, stage) for stage in report.stages])
    summary = f"<summary>All {counted(len(report.stages), 'stage')}</summary>"
    return ["<details>", summary, table, "</details>"]


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(report: Report, stage: StageReport | int) -> list[str]:
    if isinstance(stage, int):
        return [f"… {counted(stage, 'more stage')}", *[""] * (len(_COLUMNS) - 1)]
    found, said = stage.difference, mark(report, stage)
    return [
        f"**{escaped(stage.stage)}**" if said else escaped(stage.stage),
        number(found.max_abs) if found else f"{stage.shapes[0]} and {stage.shapes[1]}",
        number(stage.tolerance),
        escaped(times(used(stage))) if found else "–",
        number(stage.noise),
        *map(number, stage.local),
        f"◀ {said}" if said else "",
    ]
