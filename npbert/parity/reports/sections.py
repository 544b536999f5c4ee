"""The page's sections of text and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from npbert.parity.notes import different_weights
from npbert.parity.reports.elements import Child, element
from npbert.parity.reports.facts import of_difference, of_text, of_token, relations
from npbert.parity.reports.words import counted, mark, number, times, used
from npbert.parity.types import Report, StageReport

_COLUMNS: Final = (
    *("stage", "times", "largest", "tolerance", "noise", "op of a", "op of b", "a, float64"),
    *("b, float64", "99%", "mean", "relative", "ULP 99%", "cosine", "outside", "shape", "dtype"),
)


def stages(report: Report) -> Element:
    """Every stage, every number; a box hides those that agree."""
    rows = [_stage(report, stage) for stage in report.stages]
    box = element("input", type="checkbox", id="only")
    return _section(
        "Stages",
        element("p", element("label", box, " only those that differ")),
        _wide(_COLUMNS, rows),
        element(
            "p",
            "“op of a” is the largest error of a's op alone, from float64 on a's own input to it;"
            " “a, float64” is that of all ops up to there. Padded positions are left out: what they"
            " differ by shows when a pointer rests on the stage, and where the largest difference"
            " is when it rests on that.",
        ),
    )


def _stage(report: Report, stage: StageReport) -> Element:
    found, said = stage.difference, mark(report, stage)
    padded = f"padded positions: {of_difference(stage.padded)}" if stage.padded else ""
    spread = [found.p99, found.mean_abs, found.max_rel, found.ulp_p99] if found else [None] * 4
    cells = [
        times(used(stage)),
        number(found.max_abs) if found else "–",
        *map(number, (stage.tolerance, stage.noise, *stage.local, *stage.errors, *spread)),
        f"{found.cosine_min:.9f}" if found else "–",
        f"{stage.outside:.2%}",
        _alike(*stage.shapes),
        _alike(*stage.dtypes),
    ]
    name = element("th", stage.stage, scope="row", title=padded)
    if said:
        name.append(element("strong", f" ◀ {said}"))
    columns = [element("td", cell) for cell in cells]
    if found:
        at = f"{list(found.index)}: {found.value_a:.9g} and {found.value_b:.9g}"
        columns[1].set("title", at)
    return element("tr", name, *columns, class_="ok" if stage.agrees else "off")


def weights(report: Report) -> Iterator[Element]:
    """What became of every tensor, where both sides show theirs."""
    if report.weights is None:
        return
    other = {id(weight) for weight in different_weights(report)}
    rows = [
        element(
            *("tr", element("th", weight.name, scope="row"), element("td", weight.relation)),
            element("td", number(weight.max_abs)),
            class_="off" if id(weight) in other else "ok",
        )
        for weight in report.weights
    ]
    counts = (f"{len(names):,} {relation}" for relation, names in relations(report).items())
    summary = element("summary", ", ".join(counts) or "none")
    table = _wide(("tensor", "b's is", "largest difference"), rows)
    details = element("details", summary, table)
    if other:
        details.set("open", "")
    yield _section("Weights", details)


def tokens(report: Report) -> Iterator[Element]:
    """The first text whose tokens differ, where both sides tokenize."""
    found = report.tokens
    if found is None:
        return
    if not found.different:
        yield _section("Tokens", element("p", f"The same for {counted(found.texts, 'text')}."))
        return
    count = f"{found.different:,} of {counted(found.texts, 'text')} differ; the first is"
    a, b = of_token(found)
    yield _section(
        "Tokens",
        element("p", count),
        element("blockquote", element("bdi", found.text or "")),
        _wide(("token", "a", "b"), [_row(str(found.position), (a, b))]),
        element("p", element("bdi", of_text(found))),
    )


def environment(report: Report) -> Element:
    """Versions and configs of both sides, with what is not the same on both."""
    known = [(side.get("environment") or {}, side.get("config") or {}) for side in _sides(report)]
    parts = []
    for title, (a, b) in zip(("environment", "config"), zip(*known)):
        keys = dict.fromkeys([*a, *b])
        rows = [_row(key, (_told(a, key), _told(b, key))) for key in keys]
        parts += [_wide((title, "a", "b"), rows)] if rows else []
    return _section("Environment", *parts)


def notes(report: Report) -> Iterator[Element]:
    """What was left out."""
    if report.notes:
        yield _section("Notes", element("ul", *(element("li", note) for note in report.notes)))


def _sides(report: Report) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return report.a, report.b


def _told(values: Mapping[str, Any], key: str) -> str:
    return str(values[key]) if key in values else "–"


def _alike(a: object, b: object) -> str:
    return str(a) if a == b else f"{a} and {b}"


def _row(name: str, cells: Sequence[str]) -> Element:
    class_ = "ok" if len(set(cells)) == 1 else "other"
    head = element("th", name, scope="row")
    return element("tr", head, *(element("td", cell) for cell in cells), class_=class_)


def _wide(columns: Iterable[str], rows: Iterable[Element]) -> Element:
    """A table that is scrolled sideways where it does not fit."""
    head = element("tr", *(element("th", name, scope="col") for name in columns))
    table = element("table", element("thead", head), element("tbody", *rows))
    return element("div", table, class_="wide")


def _section(title: str, *children: Child) -> Element:
    return element("section", element("h2", title), *children, id=title.lower())
