"""What parity speaks of: sources, what they give, and what a comparison found.

Arrays are as their source gave them; nothing is rounded or widened before it is compared. A stage
is named as in `npbert.reference`; two more belong to texts: ``text.pooling`` and ``text.vector``,
the sentence's vector before and after what a sentence-transformers model does to it last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from numpy.typing import NDArray

from npbert.config import BertConfig

Array: TypeAlias = NDArray[Any]
Inputs: TypeAlias = Mapping[str, Array]
"""``token_ids``, ``segment_ids`` and ``padding_mask``, (B, T) integers."""

Stages: TypeAlias = Mapping[str, Array]
"""Stage name -> what a source gave there: (B, T, ...), or (B, D) for a whole text."""


@dataclasses.dataclass(frozen=True)
class Tokens:
    """What a tokenizer made of some texts, specials included, never padded."""

    ids: Sequence[Sequence[int]]
    tokens: Sequence[Sequence[str]]
    offsets: Sequence[Sequence[tuple[int, int]]] | None = None
    """Characters of the text; (0, 0) for a special token."""
    segment_ids: Sequence[Sequence[int]] | None = None


class Source(Protocol):
    """One side of a comparison. What it cannot do, it answers with None."""

    name: str
    """As the user wrote it."""
    kind: str
    """``"npbert"``, ``"bundle"``, ``"keras"``, ``"torch"``, ``"onnx"``, ..."""
    config: BertConfig | None
    recorded: Inputs | None
    """The inputs that it was recorded with, the only ones it knows; None if it runs anything."""
    environment: Mapping[str, str]
    """Library -> version, and whatever else tells this run from another."""

    def weights(self) -> Mapping[str, Array] | None:
        """Keras Hub's variable paths -> tensors in their own dtype."""
        ...

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        """The source's own tokens."""
        ...

    def run(self, inputs: Inputs) -> Stages:
        """Every stage that the source shows."""
        ...

    def encode(self, texts: Sequence[str]) -> Stages | None:
        """``text.pooling`` and ``text.vector``, each (B, D), whichever the source shows."""
        ...


Side: TypeAlias = Literal["a", "b", "both"]


@dataclasses.dataclass(frozen=True)
class Difference:
    """Two arrays of one shape, number by number; padded positions left out."""

    count: int
    max_abs: float
    index: tuple[int, ...]
    """Where ``max_abs`` is."""
    value_a: float
    value_b: float
    mean_abs: float
    rms: float
    """Root mean square of the difference."""
    max_rel: float
    """Relative to the larger of the two values and the stage's root mean square."""
    ulp_max: float
    ulp_p99: float
    """In units in the last place of the coarser dtype."""
    cosine_min: float
    """Over rows: the last axis."""
    not_finite: tuple[int, int]
    """NaN and infinite values of each side."""
    p99: float = 0.0
    """99th percentile of the absolute difference."""


@dataclasses.dataclass(frozen=True)
class StageReport:
    """One stage of both sides."""

    stage: str
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    dtypes: tuple[str, str]
    tolerance: float
    """The largest absolute difference that is let pass; of its 99th percentile, `bulk`."""
    noise: float | None
    """What rounding alone is expected to do here: see `npbert.parity.noise`."""
    difference: Difference | None
    """None where the shapes differ."""
    padded: Difference | None
    """The same at padded positions, which decide nothing."""
    outside: float
    """The share of values past the tolerance."""
    errors: tuple[float | None, float | None]
    """Largest error of each side from float64 on the weights of A, where there is such a run."""
    local: tuple[float | None, float | None]
    """Largest error of each side's op alone: from float64 on that side's own input to the op."""
    agrees: bool
    bulk: float | None = None
    """The largest 99th percentile that is let pass: a few values have far more noise than others,
    and `tolerance` has to let all of it pass. None where no noise was measured, or the user's
    tolerance decides."""


@dataclasses.dataclass(frozen=True)
class WeightReport:
    """One tensor of both sides."""

    name: str
    relation: str
    """``"equal"``, ``"close"``, ``"rounded to float16"``, ``"kept in float16"``,
    ``"transposed"``, ``"missing in b"``, and so on: see `npbert.parity.weights`."""
    max_abs: float | None = None


@dataclasses.dataclass(frozen=True)
class TokenReport:
    """The first text whose tokens differ, and how many do."""

    texts: int
    different: int
    text: str | None = None
    position: int | None = None
    """Of the first token that differs."""
    tokens: tuple[str | None, str | None] = (None, None)
    ids: tuple[int | None, int | None] = (None, None)
    characters: str | None = None
    """What of the text they stand for."""
    lengths: tuple[int, int] | None = None
    truncated: Side | None = None
    """The side that has only the beginning of the text."""
    offsets: int = 0
    """Texts of the same ids and other offsets, which decide nothing."""


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """Why, as far as it can be told."""

    cause: str | None
    """A key of `npbert.parity.causes`; None is unknown."""
    stage: str | None
    """Where it begins."""
    side: Side | None
    """Who is wrong, by float64 on A's weights and config."""
    sentence: str
    fix: str | None
    error_before: float | None = None
    """The guilty op's error as it is."""
    error_after: float | None = None
    """And once the cause is allowed for."""
    also: Sequence[str] = ()
    """Further causes, found once the first was allowed for."""


@dataclasses.dataclass(frozen=True)
class Ranking:
    """What the difference does to similarities between texts."""

    texts: int
    spearman: float
    overlap: Mapping[int, float]
    """k -> the share of each text's k nearest that both sides name."""
    smallest_margin: float
    """Between any text's neighbours in rank, on side A."""
    largest_change: float
    """Of any similarity: rankings whose margin is above twice this cannot turn."""


@dataclasses.dataclass(frozen=True)
class Report:
    """What a comparison found."""

    a: Mapping[str, Any]
    b: Mapping[str, Any]
    """name, kind, config, environment."""
    verdict: Literal["agree", "differ", "not comparable"]
    stages: Sequence[StageReport]
    weights: Sequence[WeightReport] | None = None
    tokens: TokenReport | None = None
    first: str | None = None
    """The first stage that differs."""
    guilty: str | None = None
    """The first stage whose op, on its own input, is off: what comes before it is inherited."""
    side: Side | None = None
    diagnosis: Diagnosis | None = None
    ranking: Ranking | None = None
    smallest_scale: float | None = None
    """The tolerances times this would pass."""
    notes: Sequence[str] = ()
    """What was left out of the comparison, and why."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return dataclasses.asdict(self)
