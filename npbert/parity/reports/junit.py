"""A report as JUnit XML: a test case for each stage, one for the weights and one for the tokens."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, indent, tostring

from npbert.parity.notes import different_weights
from npbert.parity.reports.elements import add, element
from npbert.parity.reports.facts import facts, named, of_stage, of_text, relations
from npbert.parity.reports.words import because, headline, wrong
from npbert.parity.types import Report, StageReport

_SUITE = "npbert parity"


def render(report: Report) -> str:
    """A suite of all that was compared. What cannot be compared is one error."""
    cases = [*_beside(report), *(_stage(report, stage) for stage in report.stages)]
    if report.verdict == "not comparable":
        cases.append(_case("verdict", "error", headline(report), "\n".join(report.notes)))
    suite = element(
        "testsuite",
        element("properties", *(element("property", name=n, value=v) for n, v in facts(report))),
        *cases,
        element("system-out", "\n".join([headline(report), *because(report), *report.notes])),
        name=f"{_SUITE}: {named(report.a)} and {named(report.b)}",
        tests=len(cases),
        failures=sum(case.find("failure") is not None for case in cases),
        errors=sum(case.find("error") is not None for case in cases),
    )
    root = element("testsuites", suite)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _stage(report: Report, stage: StageReport) -> Element:
    if stage.agrees:
        return _case(stage.stage)
    more = because(report) if stage.stage in (report.first, report.guilty) else []
    return _case(stage.stage, "failure", wrong(stage), "\n".join([of_stage(stage), *more]))


def _beside(report: Report) -> Iterator[Element]:
    """Weights and tokens, where they were compared."""
    if report.weights is not None:
        lines = [f"{relation}: {', '.join(names)}" for relation, names in relations(report).items()]
        other = different_weights(report)
        message = f"{len(other)} weights differ"
        yield _case("weights", "failure", message, "\n".join(lines)) if other else _case("weights")
    tokens = report.tokens
    if tokens is not None and tokens.different:
        message = f"the tokens of {tokens.different} of {tokens.texts} texts differ"
        yield _case("tokens", "failure", message, of_text(tokens))
    elif tokens is not None:
        yield _case("tokens")


def _case(name: str, bad: str | None = None, message: str = "", text: str = "") -> Element:
    group, dot, _ = name.rpartition(".")
    case = element("testcase", classname=f"parity.{group}" if dot else "parity", name=name)
    if bad:
        add(case, element(bad, text, message=message))
    return case
