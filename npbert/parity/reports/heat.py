"""Heat maps of layers x kinds of stages: where the error is, and where it is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element

from npbert.parity.budget import RULES
from npbert.parity.reports.elements import element
from npbert.parity.reports.facts import of_stage
from npbert.parity.reports.words import own, times, used
from npbert.parity.types import Report, StageReport

SHADES: Final = 10
_KEY: Final = "Outlined: past the tolerance. ▶: first to differ."

_KINDS: Final = [kind.rpartition(".")[2] for kind in RULES]

Rows = dict[str, dict[str, str]]  # title of a row -> kind -> stage
Shown = Callable[[StageReport], float | None]


def heat_maps(report: Report) -> Iterator[Element]:
    """The difference over the tolerance; and the ops alone, where they were replayed."""
    caption = (
        "The difference over its tolerance: what is made at a stage, and what is handed on to it."
    )
    yield _figure(report, used, f"{caption} {_KEY}")
    if any(own(stage) is not None for stage in report.stages):
        caption = "The error of each op alone, on its own input, over the same: what is made there."
        yield _figure(report, own_share, f"{caption} {_KEY}")


def own_share(stage: StageReport) -> float | None:
    """The error of the stage's op alone, the larger of both sides, over its tolerance."""
    error = own(stage)
    if error is None or not stage.tolerance:
        return error and math.inf
    return error / stage.tolerance


def shade(share: float) -> int:
    """0 is the lightest: in four steps from a hundredth up to the tolerance, in five past it."""
    if not math.isfinite(share):
        return SHADES - 1
    power = math.log10(share) if share > 0 else -math.inf
    if power <= 0:
        return round(1.5 * (max(power, -2) + 2))
    return SHADES - 5 + round(min(power, 4))


def _figure(report: Report, shown: Shown, caption: str) -> Element:
    stages = {stage.stage: stage for stage in report.stages}
    tables = (_table(report, rows, stages, shown) for rows in _grouped(stages))
    return element("figure", element("figcaption", caption), *tables, class_="heat")


def _grouped(names: Iterable[str]) -> list[Rows]:
    """All layers in one table; what is outside them in one for each part of the model."""
    layers: Rows = {}
    others: dict[str, Rows] = {}
    for name in names:
        group, _, kind = name.rpartition(".")
        if group.startswith("layer."):
            layers.setdefault(group.replace(".", " "), {})[kind] = name
        else:
            others.setdefault(group, {}).setdefault(group, {})[kind] = name
    return [rows for rows in (layers, *others.values()) if rows]


def _table(report: Report, rows: Rows, stages: Mapping[str, StageReport], shown: Shown) -> Element:
    found = {kind for row in rows.values() for kind in row}
    columns = sorted(found, key=lambda kind: _KINDS.index(kind) if kind in _KINDS else len(_KINDS))
    names = (element("th", element("span", name), scope="col") for name in columns)
    body = [
        element(
            "tr",
            element("th", title, scope="row"),
            *(_cell(report, stages.get(row.get(kind, "")), shown) for kind in columns),
        )
        for title, row in rows.items()
    ]
    head = element("thead", element("tr", element("td"), *names))
    return element("table", head, element("tbody", *body))


def _cell(report: Report, stage: StageReport | None, shown: Shown) -> Element:
    share = None if stage is None else shown(stage)
    if stage is None or share is None:
        return element("td", "·", class_="none", title="not shown by both sides")
    bad = "" if stage.agrees or share <= 1 else " past"
    first = "▶" if stage.stage == report.first else ""
    title = f"{stage.stage}: {of_stage(stage)}"
    return element("td", first + times(share), class_=f"h{shade(share)}{bad}", title=title)
