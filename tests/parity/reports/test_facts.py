"""What a report says beside its stages."""

from __future__ import annotations

import math

from parity.reports import handmade

from npbert.parity.reports.facts import facts, of_text, relations


def told(report):
    return dict(facts(report))


def test_sides_come_first():
    assert facts(handmade.agree())[:2] == [
        ("a", "models/ours (npbert)"),
        ("b", "torch:models/theirs (torch)"),
    ]


def test_the_first_stage_has_all_its_numbers():
    found = told(handmade.differ())
    assert found["first to differ"] == (
        "layer.1.activation: 4.70e-04 at [1, 4, 17], 0.25 and 0.25047; mean 5.22e-05, 99% below"
        " 1.57e-04, relative 9.40e-04, ULP 3.94e+03 (99% 9.86e+02), cosine 0.999999779; 31.00% of"
        " 1,480 values are outside"
    )
    assert found["made here"] == "layer.1.activation, on its own input: a 2.00e-08, b 4.70e-04"
    assert found["who is off"] == "b, from float64 on the weights of a"
    assert "NaN or infinite: 3 and 0" in told(handmade.broken())["first to differ"]
    assert told(handmade.differ(side="both"))["who is off"].startswith("both sides, from")


def test_other_shapes():
    found = told(handmade.not_comparable())
    assert found["first to differ"] == "sequence_output: shapes (2, 7, 20) and (2, 7, 36)"
    assert found["tolerance"] == "none would let this pass"


def test_tokens():
    assert told(handmade.agree())["tokens"] == "the same for 24 texts"
    report = handmade.other_tokens()
    assert told(report)["tokens"].startswith("2 of 24 texts differ; the first is 'Crème\\u200b")
    assert of_text(report.tokens).endswith(
        "at token 3: 'creme' (7) and none, for 'Crème\\u200b', cut by b, 9 and 3 tokens"
    )


def test_weights():
    report = handmade.other_tokens()
    assert told(report)["weights"] == "1 equal, 1 transposed, 1 missing in b"
    assert relations(report)["transposed"] == ["pooled_dense/kernel"]


def test_rankings():
    found = told(handmade.differ())["rankings"]
    assert "Spearman 0.999870 over 24 texts, top-1 overlap 100.0%, top-5 overlap 97.5%" in found
    assert found.endswith("the smallest margin is 1.00e-04: the closest rankings may turn")


def test_what_is_not_known_is_left_out():
    assert list(told(handmade.nothing())) == ["a", "b"]
    assert told(handmade.differ(smallest_scale=math.inf))["tolerance"] == "none would let this pass"
