"""Numbers, texts and verdicts in words."""

from __future__ import annotations

import math

import pytest
from parity.reports import handmade

from npbert.parity.reports import words


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (0.0, "0"), (4.734e-4, "4.73e-04"), (math.inf, "inf"), (math.nan, "NaN")],
)
def test_number(value, told):
    assert words.number(value) == told
    assert words.number(4.734e-4, 2) == "4.7e-04"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        *[(None, "–"), (0.0, "0"), (1e-9, "<0.01"), (0.314, "0.31"), (9.994, "9.99")],
        *[(57.2, "57"), (9999.4, "9999"), (12345.0, "1e+04"), (math.inf, "∞"), (math.nan, "NaN")],
    ],
)
def test_times(value, told):
    assert words.times(value) == told


def test_visible_shows_what_cannot_be_seen():
    assert words.visible("é 东京 a\u200bb\n\x07\ud800") == "é 东京 a\\u200bb\\n\\x07\\ud800"


def test_shortened_and_counted():
    assert words.shortened("a" * 60) == "a" * 60
    assert words.shortened("a" * 61) == "a" * 59 + "…"
    assert [words.counted(n, "stage") for n in (0, 1, 1480)] == [
        "0 stages",
        "1 stage",
        "1,480 stages",
    ]


def test_used_is_of_both_limits():
    found = handmade.stage("sequence_output", tolerance=4e-6, bulk=1e-7, error=1e-6)
    assert words.used(found) == pytest.approx(1e-6 / 3 / 1e-7)  # the 99th percentile's
    assert words.used(handmade.stage("x", tolerance=4e-6, bulk=None, error=1e-6)) == 0.25
    assert words.used(handmade.stage("x", difference=None)) == math.inf
    assert words.used(handmade.stage("x", tolerance=0.0, bulk=None)) == math.inf
    assert words.used(handmade.stage("x", tolerance=0.0, bulk=None, error=0.0)) == 0


def test_wrong_says_which_limit():
    wrong = {
        "shapes (2, 7, 20) and (2, 7, 36)": handmade.not_comparable().stages[0],
        "3 and 0 values are NaN or infinite": handmade.broken().stages[1],
        "4.00e-06, where 1.00e-06 is let pass": handmade.stage("x", error=4e-6),
        "3.00e-07 at the 99th percentile, where 1.00e-08 is let pass": handmade.stage(
            "x", error=9e-7, bulk=1e-8
        ),
        "within tolerance, but its op alone is off by 7.00e-01": handmade.stage(
            "x", agrees=False, local=(1e-9, 0.7)
        ),
    }
    assert [words.wrong(stage) for stage in wrong.values()] == list(wrong)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "differ",
            "a and b differ from layer.1.activation on: 4.70e-04, where 8.25e-06 is let pass.",
        ),
        (
            "other tokens",
            "a and b differ: the tokens of 2 of 24 texts; 1 weight, pooled_dense/kernel the first.",
        ),
        ("not comparable", "a and b cannot be compared."),
        ("nothing", "a and b cannot be compared."),
        ("broken", "a and b differ from layer.0.scores on: 3 and 0 values are NaN or infinite."),
    ],
)
def test_headline(name, told):
    assert words.headline(handmade.ALL[name]()) == told


def test_headline_of_an_agreement_names_the_closest_call():
    stages = [handmade.stage("embeddings.sum", error=9e-7), handmade.stage("layer.0.probs")]
    assert words.headline(handmade.agree(stages=stages)) == (
        "a and b agree: 2 stages, 1 weight, the tokens of 24 texts; embeddings.sum comes nearest to"
        " its tolerance, at 0.90 of it."
    )
    bare = handmade.agree(stages=[], tokens=None)
    assert words.headline(bare) == "a and b agree: 1 weight."


def test_because():
    sentence, fix, also = words.because(handmade.differ())
    assert sentence.startswith("b's layer.1.activation is GELU by tanh")
    assert (fix, also) == (
        "Fix: set hidden_act to gelu",
        "Also: b's pooling is of the first token.",
    )
    assert words.because(handmade.agree()) == []


def test_mark():
    report = handmade.differ(guilty="layer.2.key")
    marks = {stage.stage: words.mark(report, stage) for stage in report.stages}
    assert marks["layer.1.intermediate"] == ""
    assert marks[handmade.FIRST] == "first to differ"
    assert marks["layer.2.query"] == "differs"
    assert marks["layer.2.key"] == "made here"
    assert (
        words.mark(handmade.differ(), handmade.differ().stages[29]) == "first to differ, made here"
    )


def test_an_excerpt_has_what_matters_and_counts_the_rest():
    report = handmade.differ()
    shown = words.excerpt(report, 40)
    names = [each.stage for each in shown if not isinstance(each, int)]
    assert {"embeddings.token", handmade.FIRST, "text.vector"} <= set(names)
    left_out = [each for each in shown if isinstance(each, int)]
    assert min(left_out) > 1
    assert len(names) + sum(left_out) == len(report.stages)
    assert words.excerpt(report, len(report.stages)) == list(report.stages)
