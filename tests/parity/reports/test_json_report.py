"""The report as JSON."""

from __future__ import annotations

import json
import math

import pytest
from parity.reports import handmade

from npbert.parity.reports import json_report


def strict(text):
    return json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize("name", handmade.ALL)
def test_it_is_json_as_the_standard_has_it(name):
    report = handmade.ALL[name]()
    text = json_report.render(report)
    found = strict(text)
    assert text.isascii()
    assert found["schema_version"] == json_report.SCHEMA_VERSION
    assert found["verdict"] == report.verdict
    assert [stage["stage"] for stage in found["stages"]] == [s.stage for s in report.stages]


def test_what_is_not_finite_is_a_string():
    scores = strict(json_report.render(handmade.broken()))["stages"][1]
    assert scores["difference"]["value_a"] == "NaN"
    assert scores["difference"]["value_b"] == "-Infinity"
    assert scores["local"] == [None, "Infinity"]
    assert math.isnan(float("NaN"))
    assert float("-Infinity") == -math.inf


def test_numbers_keep_every_digit():
    report = handmade.differ()
    found = strict(json_report.render(report))
    assert found["stages"][3]["tolerance"] == report.stages[3].tolerance
    assert found["ranking"]["overlap"] == {"1": 1.0, "5": 0.975}
    assert found["diagnosis"]["cause"] == "gelu"
