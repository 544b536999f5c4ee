"""Reports as comparisons might make them, written by hand: no model runs for them."""

from __future__ import annotations

import dataclasses
import math

from npbert.config import BertConfig
from npbert.parity.budget import RULES
from npbert.parity.types import (
    Diagnosis,
    Difference,
    Ranking,
    Report,
    StageReport,
    TokenReport,
    WeightReport,
)

LAYERS = 3
KINDS = [kind for kind in RULES if not kind.startswith("text.")]
NAMES = [
    *(kind for kind in KINDS if kind.startswith("embeddings.")),
    *(k.replace("layer.", f"layer.{i}.") for i in range(LAYERS) for k in KINDS if "layer." in k),
    *("sequence_output", "pooled_output", "text.pooling", "text.vector"),
]
FIRST = "layer.1.activation"
TEXT = "Crème\u200b 东京 <script>alert(1)</script> | `x` & é\x07"
CONFIG = BertConfig(
    vocabulary_size=53,
    num_layers=LAYERS,
    num_heads=4,
    hidden_dim=20,
    intermediate_dim=37,
    max_sequence_length=11,
)


def difference(largest: float, **changes: object) -> Difference:
    found = Difference(
        count=1480,
        max_abs=largest,
        index=(1, 4, 17),
        value_a=0.25,
        value_b=0.25 + largest,
        mean_abs=largest / 9,
        rms=largest / 7,
        max_rel=largest * 2,
        ulp_max=largest * 2**23,
        ulp_p99=largest * 2**21,
        cosine_min=1 - min(largest, 0.5) ** 2,
        not_finite=(0, 0),
        p99=largest / 3,
    )
    return dataclasses.replace(found, **changes)


def stage(name: str, at: int = 0, error: float | None = None, **changes: object) -> StageReport:
    """A stage that agrees, at a third of its tolerance."""
    tolerance = 1e-6 * (1 + at / 4)
    largest = tolerance / 3 if error is None else error
    found = StageReport(
        stage=name,
        shapes=((2, 7, 37), (2, 7, 37)),
        dtypes=("float32", "float32"),
        tolerance=tolerance,
        noise=tolerance / 8,
        difference=difference(largest),
        padded=difference(largest * 3, count=80),
        outside=0.0 if largest <= tolerance else 0.31,
        errors=(tolerance / 6, largest),
        local=(tolerance / 20, tolerance / 30),
        agrees=largest <= tolerance,
        bulk=tolerance / 2,
    )
    return dataclasses.replace(found, **changes)


def side(name: str, kind: str, torch: str) -> dict[str, object]:
    environment = {"npbert": "0.1.0", "torch": torch}
    return {"name": name, "kind": kind, "config": CONFIG.to_dict(), "environment": environment}


def agree(**changes: object) -> Report:
    report = Report(
        a=side("models/ours", "npbert", "2.13.0"),
        b=side("torch:models/theirs", "torch", "2.13.0"),
        verdict="agree",
        stages=[stage(name, at) for at, name in enumerate(NAMES)],
        weights=[WeightReport("token_embedding/embeddings", "equal", 0.0)],
        tokens=TokenReport(texts=24, different=0),
        smallest_scale=1 / 3,
        notes=["the inputs are the texts as models/ours tokenizes them"],
    )
    return dataclasses.replace(report, **changes)


def differ(**changes: object) -> Report:
    """The activation of layer 1 is another one; what follows inherits its error."""
    at = NAMES.index(FIRST)
    stages = [stage(name, i) for i, name in enumerate(NAMES)]
    stages[at] = stage(FIRST, at, 4.7e-4, local=(2e-8, 4.7e-4))
    for later in range(at + 1, len(NAMES)):
        stages[later] = stage(NAMES[later], later, 4e-4 * 1.1 ** (later - at))
    report = dataclasses.replace(
        agree(),
        verdict="differ",
        stages=stages,
        first=FIRST,
        guilty=FIRST,
        side="b",
        diagnosis=Diagnosis(
            cause="gelu",
            stage=FIRST,
            side="b",
            sentence="b's layer.1.activation is GELU by tanh: with that allowed for, it is right.",
            fix="set hidden_act to gelu",
            error_before=4.7e-4,
            error_after=2e-8,
            also=["b's pooling is of the first token."],
        ),
        ranking=Ranking(24, 0.99987, {1: 1.0, 5: 0.975}, 1e-4, 3e-4),
        smallest_scale=213.5,
        b=side("torch:models/theirs", "torch", "2.8.0"),
    )
    return dataclasses.replace(report, **changes)


def other_tokens() -> Report:
    """Tokens and weights differ; no stage does."""
    tokens = TokenReport(
        texts=24,
        different=2,
        text=TEXT,
        position=3,
        tokens=("creme", None),
        ids=(7, None),
        characters="Crème\u200b",
        lengths=(9, 3),
        truncated="b",
    )
    weights = [
        WeightReport("token_embedding/embeddings", "equal", 0.0),
        WeightReport("pooled_dense/kernel", "transposed", 0.5),
        WeightReport("pooled_dense/bias", "missing in b"),
    ]
    return agree(verdict="differ", tokens=tokens, weights=weights, diagnosis=None)


def not_comparable() -> Report:
    """One stage in common, of two shapes."""
    only = stage(
        "sequence_output", shapes=((2, 7, 20), (2, 7, 36)), difference=None, padded=None,
        noise=None, errors=(None, None), local=(None, None), outside=1.0, agrees=False, bulk=None,
    )  # fmt: skip
    return agree(
        verdict="not comparable",
        stages=[only],
        weights=None,
        tokens=None,
        first="sequence_output",
        smallest_scale=math.inf,
        notes=["the sides share the same stages, but none of the same shape"],
    )


def nothing() -> Report:
    """Nothing in common at all."""
    return dataclasses.replace(not_comparable(), stages=[], first=None, smallest_scale=None)


def broken() -> Report:
    """NaN, infinities, zeros, and numbers that nobody measured."""
    nan = difference(
        math.inf, value_a=math.nan, value_b=-math.inf, not_finite=(3, 0), cosine_min=0.0,
        p99=math.inf, mean_abs=math.inf, rms=math.inf, ulp_max=math.inf,
    )  # fmt: skip
    stages = [
        stage("embeddings.token", error=0.0, tolerance=0.0, bulk=None, noise=0.0),
        stage("layer.0.scores", difference=nan, padded=None, agrees=False, local=(None, math.inf)),
        stage("layer.0.probs", noise=None, errors=(None, None), local=(None, None), bulk=None),
        stage("layer.10.query", tolerance=0.0, bulk=None, agrees=False),
        stage("résumé | <b>", error=1e-300),
    ]
    return differ(stages=stages, first="layer.0.scores", guilty="layer.0.scores", ranking=None)


ALL = {
    "agree": agree,
    "differ": differ,
    "other tokens": other_tokens,
    "not comparable": not_comparable,
    "nothing": nothing,
    "broken": broken,
}
