"""Every form of a mistake, made at a stage of a golden model: it must be another op."""

from __future__ import annotations

from collections.abc import Iterator

import goldens
import numpy as np

from npbert.parity.graph import graph
from npbert.parity.mistakes.cause import Cause, Offer, Where
from npbert.parity.replay import Replay

CASE = "deep"
CONFIG = goldens.config(CASE)
INPUTS = goldens.inputs(CASE)
WEIGHTS = {name: w.astype(np.float64) for name, w in goldens.weights(CASE).items()}
STEPS = graph(CONFIG)
MODEL = Replay(STEPS, WEIGHTS, INPUTS, {})


def forms(cause: Cause, layer: int = 1, seen: np.ndarray | None = None) -> Iterator[Offer]:
    """Of one cause, at all stages of a layer and outside the layers."""
    for stage in STEPS:
        where = Where(STEPS, stage, CONFIG, seen)
        if where.layer in (-1, layer):
            yield from cause.at(where)


def assert_wrong(offer: Offer) -> None:
    """The form makes other numbers, of the right shape, at a stage it names."""
    assert offer.says == offer.says.strip()
    for stage in offer.variant:
        right, wrong = MODEL.compute(stage), MODEL.compute(stage, offer.variant)
        assert wrong.shape == right.shape, (offer.says, stage)
    stages = [s for s in offer.variant if s in STEPS]
    changed = [not np.allclose(MODEL.compute(s), MODEL.compute(s, offer.variant)) for s in stages]
    assert any(changed), offer.says


def check(causes: tuple[Cause, ...], same: tuple[str, ...] = ()) -> None:
    """Each cause has a fix, and each of its forms is another op; but for those of ``same``."""
    for cause in causes:
        assert cause.fix
        offers = list(forms(cause))
        assert offers, cause.key
        for offer in offers:
            if cause.key not in same:
                assert_wrong(offer)
