"""A report as one page that asks nothing of the network and runs no script."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element, tostring

from npbert.parity.reports import sections
from npbert.parity.reports.elements import Child, element
from npbert.parity.reports.facts import facts
from npbert.parity.reports.growth import growth
from npbert.parity.reports.heat import SHADES, heat_maps
from npbert.parity.reports.words import because, headline
from npbert.parity.types import Report

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_SIGNS: Final = {"agree": "✔", "differ": "✘", "not comparable": "?"}

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1a1a1a; --ground: #fff; --band: #f3f3f3; --rule: #d5d5d5;
  --soft: #666; --bad: #a4001d; --good: #1a6b2f; --off: #fdecec; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --ground: #16181b; --band: #202327;
  --rule: #3a3e44; --soft: #a0a4aa; --bad: #ff8095; --good: #79d491; --off: #3a2024; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  max-width: 1100px; margin: 2em auto; padding: 0 1.2em; }
header { border-left: 6px solid var(--soft); padding: .2em 0 .2em 1em; }
header.agree { border-color: var(--good); } header.differ { border-color: var(--bad); }
h1 { font-size: 1.5em; line-height: 1.3; margin: .2em 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15em; margin: 2em 0 .5em; }
header p { margin: .3em 0; }
p.why { font-size: 1.1em; font-weight: 600; }
.kind { color: var(--soft); margin: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2em 1.2em; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1em 0; padding-right: 5em; } figure.growth { padding: 0; }
figcaption { color: var(--soft); margin-bottom: .4em; }
.wide, figure { overflow-x: auto; } .wide + .wide { margin-top: 1em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
.wide th, .wide td { padding: .2em .7em .2em 0; text-align: left; white-space: nowrap;
  border-bottom: 1px solid var(--rule); }
tbody th { font-weight: 400; font-family: ui-monospace, monospace; }
thead th { color: var(--soft); font-weight: 400; vertical-align: bottom; }
tr.off > *, tr.other > * { background: var(--off); }
tr.off strong { color: var(--bad); }
body:has(#only:checked) tr.ok { display: none; }
.heat table { display: inline-block; vertical-align: bottom; margin: 0 2.5em .6em 0; }
.heat table:first-of-type { display: table; }
.heat td { width: 3.2em; height: 1.9em; text-align: center; padding: 0 .2em; font-size: 12px;
  border: 1px solid var(--ground); }
.heat thead th { height: 10.5em; padding: 0; }
.heat thead span { display: block; width: 2.9em; white-space: nowrap; text-align: left;
  transform-origin: left bottom; transform: translate(1.7em, 0) rotate(-55deg); }
.heat tbody th { text-align: right; padding-right: .6em; white-space: nowrap; }
.heat td.past { font-weight: 700; outline: 2px solid var(--ink); outline-offset: -2px; }
.heat td.none { color: var(--soft); }
svg { width: 100%; min-width: 760px; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg .band0 { fill: var(--band); } svg .band1 { fill: var(--ground); }
svg .grid { stroke: var(--rule); stroke-width: .7; }
svg polyline { fill: none; }
svg .difference { stroke: var(--ink); stroke-width: 1.6; }
svg .tolerance { stroke: var(--soft); stroke-width: 1.6; stroke-dasharray: 8 4; }
svg .noise { stroke: var(--soft); stroke-width: 1.4; stroke-dasharray: 1.5 3.5; }
svg .good { fill: var(--ink); } svg .bad { fill: var(--bad); stroke: var(--ground); }
svg .op-a, svg .op-b { fill: none; stroke: var(--soft); stroke-width: 1.2; }
svg .pointer { stroke: var(--bad); stroke-width: 1.2; }
svg text.pointed { fill: var(--bad); font-weight: 700; paint-order: stroke;
  stroke: var(--ground); stroke-width: 5px; }
"""


def render(report: Report) -> str:
    """The page: verdict and cause, growth of the error, heat maps, and all the numbers."""
    title = f"npbert parity: {headline(report)}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", _STYLE + _shades()),
    )
    page = element("html", head, element("body", *_body(report)), lang="en")
    return "<!DOCTYPE html>\n" + tostring(page, "unicode", method="html") + "\n"


def _body(report: Report) -> list[Child]:
    pairs = [(element("dt", name), element("dd", text)) for name, text in facts(report)]
    body: list[Child] = [
        _header(report),
        element("dl", *(part for pair in pairs for part in pair)),
    ]
    if report.stages:
        body += [
            element("h2", "How the error grows"),
            element("figure", growth(report), class_="growth"),
            element("h2", "Where it is, and where it is made"),
            *heat_maps(report),
            sections.stages(report),
        ]
    body += [*sections.weights(report), *sections.tokens(report)]
    return [*body, sections.environment(report), *sections.notes(report)]


def _header(report: Report) -> Element:
    class_ = report.verdict.split()[0]
    lines = [
        element("p", line, class_="" if i else "why") for i, line in enumerate(because(report))
    ]
    heading = element("h1", f"{_SIGNS[report.verdict]} {headline(report)}")
    kind = element("p", "npbert parity", class_="kind")
    return element("header", kind, heading, *lines, class_=class_)


def _shades() -> str:
    """From light to dark in even steps of lightness, which grey keeps."""
    rules = []
    for step in range(SHADES):
        lightness = 96 - step * 8
        ink = "#fff" if lightness < 58 else "#1a1a1a"
        rules.append(f".h{step} {{ background: hsl(18 75% {lightness}%); color: {ink}; }}")
    return "\n".join(rules)
