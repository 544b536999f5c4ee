"""The results as a figure that is still readable in grey: by shades, markers and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from npbert.bench import works
from npbert.bench.race import Race, Row
from npbert.errors import ConfigError, DependencyError

FORMATS: Final = ("png", "svg")
_MARKERS: Final = "osD^v<>Pp*Xh"
_CURVES: Final = {  # group of works -> the axis, and which of (B, T) grows
    "lengths": ("tokens of one sequence", 1),
    "batches": ("sequences of 128 tokens", 0),
}
_FEWEST: Final = 4  # points that make a curve


def check(path: Path) -> None:
    """See that a figure can be drawn, before a long run.

    Raises:
        ConfigError: its name does not end in one of `FORMATS`.
        DependencyError: matplotlib is not installed.
    """
    if path.suffix[1:] not in FORMATS:
        raise ConfigError(
            "a plot is a .png or .svg file.",
            where="--plot",
            received=path,
            expected=f"a name that ends in .{' or .'.join(FORMATS)}",
            fix=f"for instance {path.with_suffix('.svg')}",
        )
    _pyplot()


def draw(races: Sequence[Race], file: BinaryIO, form: str) -> None:
    """Bars of every race, and a curve of the time for each of the groups of works that grow."""
    curves = {name: grown for name in _CURVES if len(grown := _of_group(races, name)) >= _FEWEST}
    in_curves = {race.work for grown in curves.values() for race in grown}
    bars = [race for race in races if race.work not in in_curves]
    plots = len(bars) + len(curves)
    pyplot = _pyplot()
    columns = min(2, max(1, plots))
    lines = max(1, -(-plots // columns))
    figure, axes = pyplot.subplots(
        lines, columns, figsize=(7 * columns, 3.6 * lines), squeeze=False, layout="constrained"
    )
    places = iter(axes.flat)
    for race in bars:
        _bars(next(places), race)
    for name, grown in curves.items():
        _curve(next(places), grown, *_CURVES[name])
    for place in places:
        place.set_visible(False)
    figure.savefig(file, format=form, dpi=144)
    pyplot.close(figure)


def _bars(axes: Any, race: Race) -> None:
    """A bar for each engine's best time, npbert's black, with the ratio at its end."""
    rows = sorted((row for row in race.rows if row.seconds), key=lambda row: row.best)
    names = [_name(row, race) for row in rows]
    values = [row.best * 1e3 for row in rows]
    shades = ["black" if row.is_npbert else "lightgrey" for row in rows]
    axes.barh(range(len(rows)), values, color=shades, edgecolor="black", linewidth=0.6)
    for i, row in enumerate(rows):
        reference = race.reference(row)
        times = f"  {row.best / reference.best:.2f}x" if reference else ""
        axes.text(values[i], i, times, va="center", fontsize=7)
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_title(race.work, fontsize=10)
    axes.set_xlabel("milliseconds, best (and over npbert's)", fontsize=8)


def _name(row: Row, race: Race) -> str:
    threads = f", {row.threads} threads" if len({r.threads for r in race.rows}) > 1 else ""
    return f"{row.engine} {row.how}".strip() + threads


def _curve(axes: Any, races: Sequence[Race], label: str, grows: int) -> None:
    """Milliseconds for each token against what grows, one line for each engine."""
    engines = dict.fromkeys(
        (row.engine, row.threads) for race in races for row in race.rows if row.seconds
    )
    for i, (engine, threads) in enumerate(engines):
        points = [
            (_shape(race)[grows], row.best * 1e6 / math.prod(_shape(race)))
            for race in races
            for row in race.rows
            if (row.engine, row.threads) == (engine, threads) and row.seconds
        ]
        ours = engine == "npbert"
        style = {"color": "black" if ours else "grey", "linewidth": 2.4 if ours else 1.0}
        marker = _MARKERS[i % len(_MARKERS)]
        name = f"{engine}, {threads}"
        axes.plot(*zip(*sorted(points), strict=True), marker=marker, label=name, **style)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel(label, fontsize=8)
    axes.set_ylabel("microseconds for a token, best", fontsize=8)
    axes.tick_params(labelsize=7)
    beside = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
    axes.legend(fontsize=6, title="engine, threads", title_fontsize=6, **beside)
    axes.set_title(races[0].work.rpartition("-")[0], fontsize=10)


def _of_group(races: Sequence[Race], name: str) -> list[Race]:
    return [race for race in races if race.work in works.GROUPS[name]]


def _shape(race: Race) -> tuple[int, int]:
    work = works.parse([race.work])[0]
    return work.B, work.T


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise DependencyError(
            "a plot needs matplotlib.", received=error, fix="pip install 'npbert[bench]'"
        ) from None
    matplotlib.use("agg")
    import matplotlib.pyplot

    return matplotlib.pyplot
