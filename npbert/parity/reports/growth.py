"""The error-growth plot, as SVG: each stage's error against tolerance and noise, on a log axis.

Everything is told apart by dashes and the shapes of marks too, so that it is readable in grey.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from npbert.parity.reports.elements import element
from npbert.parity.reports.words import mark, number, stage_of, times, used, wrong
from npbert.parity.types import Report, StageReport

WIDTH: Final = 1000
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 990, 64, 372
_LANE: Final = 24
"""Of what has no place on a log axis: zero at the bottom, infinity at the top."""

_DECADES: Final = 20
"""What is further below the largest is drawn as if it were not."""

_NAMED: Final = 48
"""Up to so many stages each has its name below the axis."""

_LEGEND: Final = (
    ("difference", "largest difference"),
    ("tolerance", "tolerance"),
    ("noise", "noise of float32"),
    ("op-a", "op of a alone"),
    ("op-b", "op of b alone"),
)


class Scale(NamedTuple):
    """Where values and stages lie.

    Args:
        low, high: powers of ten, the ends of the axis.
        stages: how many there are.
    """

    low: int
    high: int
    stages: int

    def x(self, at: float) -> float:
        return round(_LEFT + (at + 0.5) * (_RIGHT - _LEFT) / self.stages, 1)

    def y(self, value: float) -> float:
        if not math.isfinite(value):
            return _TOP + _LANE / 2
        if value <= 0:
            return _BOTTOM - _LANE / 2
        share = (math.log10(value) - self.low) / (self.high - self.low)
        bottom, top = _BOTTOM - _LANE, _TOP + _LANE
        return round(bottom + min(max(share, 0.0), 1.0) * (top - bottom), 1)

    @property
    def radius(self) -> float:
        """Of a mark: smaller where there are many."""
        return round(min(4.0, max(1.8, 200 / self.stages)), 1)


def growth(report: Report) -> Element:
    """The plot, of at least one stage."""
    stages = report.stages
    scale = _scale(stages)
    named = scale.stages <= _NAMED
    height = _BOTTOM + (124 if named else 36)
    return element(
        "svg",
        element("title", "Error at each stage"),
        element("desc", described(report)),
        *_bands(stages, scale),
        *_axis(stages, scale),
        *(_names(stages, scale) if named else ()),
        *_line(scale, [stage.noise for stage in stages], "noise"),
        *_line(scale, [stage.tolerance for stage in stages], "tolerance"),
        *_line(scale, [_largest(stage) for stage in stages], "difference"),
        *_marks(stages, scale),
        *_pointers(report, scale),
        *_legend(),
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        id="growth",
    )


def described(report: Report) -> str:
    """What the plot shows, for who does not see it."""
    stages = report.stages
    nearest = max(stages, key=used)
    said = f"The largest difference of {len(stages)} stages, on a logarithmic axis. "
    first = stage_of(report, report.first)
    if first is None:
        return said + f"All are within tolerance, {nearest.stage} at {times(used(nearest))} of it."
    last = stages[-1]
    return (
        f"{said}The first past its tolerance is {first.stage}: {wrong(first)}. The furthest past"
        f" is {nearest.stage}, {times(used(nearest))} times its tolerance; the last, {last.stage},"
        f" is at {number(_largest(last))}."
    )


def _largest(stage: StageReport) -> float:
    return math.inf if stage.difference is None else stage.difference.max_abs


def _scale(stages: Sequence[StageReport]) -> Scale:
    values = [x for s in stages for x in (_largest(s), s.tolerance, s.noise, *s.local) if x]
    powers = [math.log10(value) for value in values if math.isfinite(value) and value > 0]
    high = math.ceil(max(powers, default=-6))
    low = max(math.floor(min(powers, default=-8)), high - _DECADES)
    return Scale(min(low, high - 1), high, len(stages))


# -- the ground ------------------------------------------------------------------------------------


def _group(stage: str) -> str:
    """What stands below a band: the number of a layer, or the end of the model that it is."""
    parts = stage.split(".")
    if parts[0] == "layer":
        return parts[1]
    return parts[0] if parts[0] == "embeddings" else "out"


def _bands(stages: Sequence[StageReport], scale: Scale) -> Iterator[Element]:
    """One for each layer, every other one darker."""
    start = 0
    for turn, (name, group) in enumerate(itertools.groupby(_group(s.stage) for s in stages)):
        end = start + len([*group])
        left, right = scale.x(start - 0.5), scale.x(end - 0.5)
        size = {"width": round(right - left, 1), "height": _BOTTOM - _TOP}
        yield element("rect", x=left, y=_TOP, class_=f"band{turn % 2}", **size)
        label = f"layer {name}" if name.isdigit() else name
        if right - left < 7 * len(label):
            label = name[:3]
        y = _TOP - 4 if scale.stages <= _NAMED else _BOTTOM + 16
        yield _text(label, (left + right) / 2, y, "middle")
        start = end


def _axis(stages: Sequence[StageReport], scale: Scale) -> Iterator[Element]:
    step = 1 + (scale.high - scale.low) // 12
    for power in range(scale.low, scale.high + 1, step):
        y = scale.y(10.0**power)
        yield element("line", x1=_LEFT, x2=_RIGHT, y1=y, y2=y, class_="grid")
        yield _text(f"1e{power}", _LEFT - 6, y + 4, "end")
    largest = [_largest(stage) for stage in stages]
    if 0 in largest:
        yield _text("0", _LEFT - 6, scale.y(0) + 4, "end")
    if not all(map(math.isfinite, largest)):
        yield _text("∞, NaN", _LEFT - 6, scale.y(math.inf) + 4, "end")


def _names(stages: Sequence[StageReport], scale: Scale) -> Iterator[Element]:
    for at, stage in enumerate(stages):
        x, y = scale.x(at) + 3, _BOTTOM + 10
        name = _text(stage.stage.rpartition(".")[2], x, y, "end")
        name.set("transform", f"rotate(-60 {x} {y})")
        yield name


# -- what is drawn on it ---------------------------------------------------------------------------


def _line(scale: Scale, values: Sequence[float | None], class_: str) -> Iterator[Element]:
    """A line through all values that are known, with a gap where one is not."""
    points = [(scale.x(at), value) for at, value in enumerate(values)]
    for known, run in itertools.groupby(points, key=lambda point: point[1] is not None):
        if known:
            path = " ".join(f"{x},{scale.y(value)}" for x, value in run if value is not None)
            yield element("polyline", points=path, class_=class_)


def _marks(stages: Sequence[StageReport], scale: Scale) -> Iterator[Element]:
    for at, stage in enumerate(stages):
        x, r = scale.x(at), scale.radius
        for error, shape, name in zip(stage.local, (_triangle, _square), ("op-a", "op-b")):
            if error is not None:
                told = f"{stage.stage}: {name[-1]}'s op alone is off by {number(error)}"
                yield _mark(shape, x, scale.y(error), r, name, told)
        told = f"{stage.stage}: {number(_largest(stage))}, {times(used(stage))} of the tolerance"
        shape, name = (_disc, "good") if stage.agrees else (_diamond, "bad")
        yield _mark(shape, x, scale.y(_largest(stage)), r, name, told)


def _mark(
    shape: Callable[[float, float, float], str], x: float, y: float, r: float, name: str, told: str
) -> Element:
    """A mark that says what it is when a pointer rests on it."""
    return element("path", element("title", told), d=shape(x, y, r), class_=name)


def _disc(x: float, y: float, r: float) -> str:
    return f"M{x - r},{y}a{r},{r} 0 1 0 {2 * r},0a{r},{r} 0 1 0 {-2 * r},0z"


def _diamond(x: float, y: float, r: float) -> str:
    r *= 1.5
    return f"M{x},{y - r}l{r},{r}l{-r},{r}l{-r},{-r}z"


def _triangle(x: float, y: float, r: float) -> str:
    return f"M{x},{y - r}l{r},{2 * r}h{-2 * r}z"


def _square(x: float, y: float, r: float) -> str:
    return f"M{x - r},{y - r}h{2 * r}v{2 * r}h{-2 * r}z"


def _pointers(report: Report, scale: Scale) -> Iterator[Element]:
    """A line down from the first stage that differs, and from the one whose op is off."""
    names = (report.first, report.guilty)
    marked = [(at, s) for at, s in enumerate(report.stages) if s.stage in names]
    for line, (at, stage) in enumerate(marked):
        x, y = scale.x(at), _TOP + 14 + 16 * line
        label, right = f"{stage.stage}: {mark(report, stage)}", x > WIDTH / 2
        yield element("line", x1=x, x2=x, y1=_TOP, y2=_BOTTOM, class_="pointer")
        yield _text(label, x + (-5 if right else 5), y, "end" if right else "start", "pointed")


def _legend() -> Iterator[Element]:
    shapes = {"difference": _disc, "op-a": _triangle, "op-b": _square}
    for place, (name, label) in enumerate(_LEGEND):
        x, y = _LEFT + 176 * place, 18
        if not name.startswith("op"):
            yield element("polyline", points=f"{x},{y} {x + 30},{y}", class_=name)
        if name in shapes:
            class_ = "good" if name == "difference" else name
            yield element("path", d=shapes[name](x + 15, y, 4), class_=class_)
        yield _text(label, x + 38, y + 4, "start")


def _text(text: str, x: float, y: float, anchor: str, class_: str = "label") -> Element:
    return element("text", text, x=round(x, 1), y=y, text_anchor=anchor, class_=class_)
