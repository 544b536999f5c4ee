"""Where a mistake can be made, and how it is written down."""

from __future__ import annotations

import pytest
from parity.mistakes.forms import CONFIG, STEPS

from npbert.parity.mistakes.cause import Cause, Offer, Where, layer_of, one


def where(stage: str) -> Where:
    return Where(STEPS, stage, CONFIG, None)


@pytest.mark.parametrize(
    ("stage", "kind", "layer"),
    [("layer.2.query", "query", 2), ("embeddings.sum", "sum", -1), ("pooled_output",) * 2 + (-1,)],
)
def test_where(stage, kind, layer):
    assert (where(stage).kind, where(stage).layer, layer_of(stage)) == (kind, layer, layer)
    assert where(stage).step is STEPS[stage]


def test_beside():
    assert where("layer.2.query").beside("key") == "layer.2.key"


def test_a_cause_is_offered_at_its_kinds_only():
    doubled = one("is doubled", lambda op: lambda *x: 2 * op(*x))
    cause = Cause("doubled", ("query",), doubled, "halve it")
    assert list(cause.at(where("layer.0.key"))) == []
    [offer] = cause.at(where("layer.0.query"))
    assert isinstance(offer, Offer)
    assert offer.says == "is doubled"
    step = offer.variant["layer.0.query"]
    assert (step.inputs, step.weights) == STEPS["layer.0.query"][1:]
