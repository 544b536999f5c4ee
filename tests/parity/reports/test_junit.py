"""The report as JUnit XML."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest
from parity.reports import handmade

from npbert.parity.reports import junit


def suite(report):
    return fromstring(junit.render(report).encode()).find("testsuite")


def outcomes(report):
    """Name of a case -> ``failure``, ``error`` or None."""
    return {
        case.get("name"): next((child.tag for child in case), None)
        for case in suite(report).iter("testcase")
    }


@pytest.mark.parametrize("name", handmade.ALL)
def test_the_counts_are_those_of_the_cases(name):
    found, cases = suite(handmade.ALL[name]()), outcomes(handmade.ALL[name]())
    assert int(found.get("tests")) == len(cases)
    assert int(found.get("failures")) == sum(bad == "failure" for bad in cases.values())
    assert int(found.get("errors")) == sum(bad == "error" for bad in cases.values())


def test_a_case_for_each_stage():
    report = handmade.agree()
    assert outcomes(report) == dict.fromkeys(["weights", "tokens", *handmade.NAMES])
    case = next(case for case in suite(report).iter("testcase") if "query" in case.get("name"))
    assert case.attrib == {"classname": "parity.layer.0", "name": "layer.0.query"}


def test_a_stage_that_differs_fails_and_says_why():
    report = handmade.differ()
    cases = {case.get("name"): case for case in suite(report).iter("testcase")}
    failed = [name for name, outcome in outcomes(report).items() if outcome == "failure"]
    assert failed == handmade.NAMES[handmade.NAMES.index(handmade.FIRST) :]
    failure = cases[handmade.FIRST].find("failure")
    assert failure.get("message") == "4.70e-04, where 8.25e-06 is let pass"
    assert "at [1, 4, 17]" in failure.text
    assert "Fix: set hidden_act to gelu" in failure.text
    assert "Fix" not in cases["layer.2.query"].find("failure").text


def test_weights_and_tokens_fail_too():
    found = outcomes(handmade.other_tokens())
    assert [name for name, outcome in found.items() if outcome] == ["weights", "tokens"]
    assert "alert(1)" in junit.render(handmade.other_tokens())


def test_what_cannot_be_compared_is_an_error():
    for report in (handmade.not_comparable(), handmade.nothing()):
        assert outcomes(report)["verdict"] == "error"
    assert outcomes(handmade.nothing()) == {"verdict": "error"}
