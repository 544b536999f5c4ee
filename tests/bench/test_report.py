"""Tables: what they say, and that they hide nothing."""

from __future__ import annotations

import io

import pytest
from bench.results import race, row
from rich.console import Console

from npbert.bench import report

RACE = race(
    row("npbert", 0.080, 0.090, 0.100),
    row("npbert", 0.150, threads=1),
    row("faster", 0.060, 0.100, 0.110, difference=2.5e-6),
    row("slower", 0.120, 0.130, 0.131, difference=3e-6),
    row("broken", error="the process ended with -9: killed"),
    row("keras-jax", 0.4, 0.5, 0.6, reference="npbert-tanh", group="Keras Hub"),
    row("npbert-tanh", 0.1, reference="npbert-tanh"),
)


def cells(section, name):
    return next(line for line in section.rows if line[0] == name)


def test_a_race():
    section = report.race_section(RACE)
    assert [line[0] for line in section.rows] == [
        *("faster", "npbert", "npbert-tanh", "slower", "npbert", "keras-jax", "broken")
    ]
    # 12 GFLOP in 0.12 s, of 95 GFLOP/s
    assert cells(section, "slower")[2:] == [
        *("2", "120.0", "130.0", "100.0", "105%", "1.50", "1.44", "3.0e-06")
    ]
    assert cells(section, "npbert")[7:] == ["1", "1", "-"]
    assert cells(section, "keras-jax")[7:9] == ["4.00", "5.00"]


def test_a_loss_is_called_one():
    assert cells(report.race_section(RACE), "faster")[7:9] == ["0.75 loss", "1.11"]


def test_npbert_does_not_lose_against_itself():
    section = report.race_section(race(row("npbert", 0.2), row("npbert-bfloat16", 0.1)))
    assert cells(section, "npbert-bfloat16")[7:9] == ["0.50", "0.50"]


def test_a_failure_is_shown():
    line = cells(report.race_section(RACE), "broken")
    assert line[3] == "FAILED: the process ended with -9: killed"
    late = row("late", 0.1, error="no answer within 900 s")
    assert report.race_section(race(late)).notes[0] == (
        "late failed before the end: no answer within 900 s"
    )


def test_what_stands_below_a_race():
    assert report.race_section(RACE).notes == [
        "15 rounds, 1 call in each, engines in turn; 0.4% of CPU time stolen by the host",
        "measured peak, 1 FMA loop: 50.0 GFLOP/s",
        "measured peak, 2 independent FMA loops: 95.0 GFLOP/s, 1.90 of one",
        "npbert, 2 threads over 1: 1.88",
    ]


def test_texts_per_core_hour():
    found = race(row("npbert", 0.5), work="minilm-text", texts=1000)
    section = report.race_section(found)
    assert section.columns[-1] == "texts per core-hour"
    assert section.rows[0][-1] == "3,600,000"


def test_the_summary_has_the_best_of_each_group():
    assert report.summary([RACE]).rows == [
        ["bert-base-8x128", "peers", "2", "80", "faster", "60", "0.75 loss", "1.11"],
        ["bert-base-8x128", "Keras Hub", "2", "100.0", "keras-jax", "400.0", "4.00", "5.00"],
    ]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(1.2345, "1234"), (0.12345, "123.5"), (0.0012345, "1.23")]
)
def test_milliseconds(seconds, shown):
    assert report.milliseconds(seconds) == shown


def test_markdown():
    section = report.Section("t", "about", ("engine", "ms"), [["a|b", "1"]], ["a note"])
    assert report.markdown(section) == (
        "### t\n\nabout\n\n| engine | ms |\n| --- | ---: |\n| a/b | 1 |\n\n- a note\n"
    )


def test_a_table_for_the_terminal():
    console = Console(file=io.StringIO(), width=200)
    console.print(report.rich_table(report.race_section(RACE)))
    shown = console.file.getvalue()
    assert "0.75 loss" in shown
    assert "FAILED: the process ended with -9: killed" in shown


def test_json():
    found = report.plain(RACE)
    assert found["peaks"] == {"1": 50e9, "2": 95e9}
    assert (found["rows"][0]["best"], found["rows"][0]["median"]) == (0.08, 0.09)
    assert found["rows"][4]["best"] is None
