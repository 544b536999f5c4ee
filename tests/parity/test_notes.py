"""What a comparison could not see is said, in a sentence each."""

from __future__ import annotations

import dataclasses

import goldens
import numpy as np
from parity.sides import Side

from npbert.parity.judge import Evidence, Judged
from npbert.parity.noise import Noise
from npbert.parity.notes import different_weights, on_evidence, on_findings, on_sources
from npbert.parity.types import Report, StageReport, TokenReport, WeightReport

STAGE = StageReport(
    "layer.0.key", ((2, 3),) * 2, ("float32",) * 2, 1.0, None, None, None, 0.0, (None, None),
    (None, None), True,
)  # fmt: skip
NOISE = Evidence(noise=Noise({}, {}, ()))


def judgement(stage="layer.0.key", **settings):
    report = dataclasses.replace(STAGE, stage=stage, agrees=settings.pop("agrees", True))
    return Judged(report, **{"scale": 0.5, "wrong": None, "off": None, "blind": 0.0, **settings})


def report(**settings):
    return Report(**{"a": {}, "b": {}, "verdict": "agree", "stages": [STAGE], **settings})


def test_nothing_to_say():
    config = goldens.config("deep")
    stages = {"layer.0.key": np.zeros(1)}
    assert list(on_sources(Side(config=config), Side(config=config), [stages, stages])) == []
    assert list(on_evidence(NOISE, [judgement()])) == []
    assert list(on_findings(report(weights=[WeightReport("x", "equal")]))) == []


def test_configs_and_stages_of_one_side():
    config = goldens.config("deep")
    other = dataclasses.replace(config, activation="gelu", num_layers=5)
    stages = [{"layer.0.key": 0, "layer.1.key": 0}, {f"layer.{i}.probs": 0 for i in range(3)}]
    assert list(on_sources(Side(config=config), Side(config=other), stages)) == [
        "the configs differ: num_layers 3 and 5, activation 'gelu_approximate' and 'gelu'",
        "only a shows key",
        "only b shows probs",
    ]


def test_many_names_are_counted():
    stages = [{f"{letter}": 0 for letter in "abcdef"}, {}]
    assert list(on_sources(Side(), Side(), stages)) == ["only a shows a, b, c, d and 2 more"]


def test_noise_that_was_not_measured():
    (note,) = on_evidence(Evidence(), [judgement()])
    assert "rounding was not measured" in note
    assert list(on_evidence(Evidence(), [])) == []


def test_what_rounding_hides():
    blind = [judgement(blind=0.03), judgement("layer.1.key", blind=0.25), judgement("layer.2.key")]
    assert list(on_evidence(NOISE, blind)) == [
        "rounding hides errors of up to 25% of a typical value at layer.1.key, and more than is "
        "good at layer.0.key, layer.1.key"
    ]


def test_an_op_that_is_off_within_the_tolerance():
    (note,) = on_evidence(NOISE, [judgement(agrees=False, off="b")])
    assert note.startswith("b's op at layer.0.key is off on its own input, though the difference")
    assert list(on_evidence(NOISE, [judgement(agrees=False, off="b", scale=3.0)])) == []


def test_verdicts_are_qualified():
    bare = report(verdict="not comparable", stages=[])
    assert list(on_findings(bare)) == ["the sides share nothing that could be compared"]
    assert "none of the same shape" in next(on_findings(report(verdict="not comparable")))
    weights = [
        WeightReport("x", "missing in b"),
        WeightReport("y", "transposed"),
        WeightReport("z", "close"),
    ]
    assert list(on_findings(report(weights=weights))) == [
        "weights of one side alone: x",
        "all stages agree on these inputs, but these weights differ: y",
    ]
    assert different_weights(report(weights=weights)) == [weights[1]]
    assert list(on_findings(report(weights=weights[1:], first="layer.0.key"))) == []


def test_tokens_and_offsets():
    assert list(on_findings(report(tokens=TokenReport(9, 2, offsets=3)))) == [
        "the tokens differ; the stages of both sides are on the same ones all the same",
        "the offsets differ in 3 texts of the same tokens",
    ]
