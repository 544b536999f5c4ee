"""Why two vectors of one text differ, when all that is seen may be the vectors.

How a side pools is found out: one of the known ways leads from token vectors to its text's. A side
that shows vectors alone is taken to have the other's model; if no way of pooling leads to its
vectors, its texts may have been cut, padded, changed or given a prompt, as servers do unasked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from npbert.parity.arbiter import Model
from npbert.parity.difference import distance, largest
from npbert.parity.graph import graph
from npbert.parity.inputs import padded
from npbert.parity.mistakes import texts as mistakes
from npbert.parity.mistakes.pooling import (
    AS_POOLED,
    FIXES,
    OVER_PADDING,
    POOLER,
    POOLING,
    VECTOR,
    WAYS,
    Way,
    key_of,
)
from npbert.parity.mistakes.texts import CHANGES, PROMPTS, Change, Ids
from npbert.parity.replay import Replay
from npbert.parity.search import FALLS, Suspect
from npbert.parity.types import Array, Inputs, Source, Stages

TEXTS: Final = 4
"""So many texts are looked at."""

SEARCHED: Final = 2
"""Of them, the search for mistakes in the model runs so many."""

LENGTHS: Final = (32, 64, 128, 256, 384, 512)
"""Of tokens: to which servers pad texts."""

MOST_CUTS: Final = 40

_HIDDEN: Final = ("sequence_output", "pooled_output")


class VectorFound(NamedTuple):
    """What explains other vectors; ``says`` is a clause."""

    cause: str
    says: str
    fix: str
    before: float
    after: float


class _Hypothesis(NamedTuple):
    cause: str
    says: str
    make: Callable[[int], Array | None]
    """The vectors that it makes of so many of the texts, (B, D)."""
    truth: Array
    """What they would have to be."""


class Texts:
    """A few texts, and what each side makes of them.

    Args:
        texts: all that the sides were given.
        a, b: the sides.
        stages: of ``a`` and of ``b``: ``text.pooling`` and ``text.vector`` of all texts.
        model: what the sides should be.
        limits: stage -> what is let pass. The sides are run once more for their token vectors, and
            may round otherwise.
        stage: of the texts: ``text.vector``, or ``text.pooling`` where only that differs.
    """

    def __init__(
        self,
        texts: Sequence[str],
        a: Source,
        b: Source,
        stages: Sequence[Stages],
        model: Model,
        limits: Mapping[str, float],
        stage: str = VECTOR,
    ) -> None:
        self.stage, self._limit = stage, limits[stage]
        shown = [np.asarray(side[stage]) for side in stages]
        chosen, self._same = _rows(texts, shown[0], shown[1], self._limit)
        self.texts, self.model, self._sources = [texts[i] for i in chosen], model, (a, b)
        self._all = _ids(a, texts) or []
        self.vectors = [side[chosen] for side in shown]
        self.inputs: list[Inputs] = []
        self.hidden: list[dict[str, Array]] = []
        ids = [_ids(source, self.texts) for source in (a, b)]
        for source, own in zip((a, b), ids):
            rows = own or ids[0] or ids[1]
            self.inputs.append(padded_ids(rows) if rows else {})
            self.hidden.append(_hidden(source, self.inputs[-1]))

    def ways(self) -> list[Way | None]:
        """How each side makes its vectors; a side that shows no tokens' has the other's."""
        return [self._way(i if self.hidden[i] else 1 - i, self.vectors[i]) for i in range(2)]

    def _way(self, i: int, vectors: Array) -> Way | None:
        hidden, mask = self.hidden[i], self.inputs[i]["padding_mask"]
        for way in WAYS:
            if self.stage == POOLING and way.ending != AS_POOLED:
                continue
            needs = "pooled_output" if way.pool == POOLER else "sequence_output"
            if needs in hidden:
                made = way.of(hidden, mask, vectors.shape[1])
                if made.shape == vectors.shape and largest(made, vectors) <= self._limit:
                    return way
        return None

    def compare_ways(self, a: Way, b: Way) -> list[VectorFound]:
        """What is to be said of two ways."""
        before, after = largest(*self.vectors), self._left(b)
        found: list[VectorFound] = []
        if a.pool != b.pool:
            key = key_of(b.pool)
            says = f"b's text.pooling is {b.pool}, where {a.pool} is a's"
            found.append(VectorFound(key, says, FIXES[key], before, after))
        if a.ending != b.ending:
            says = f"b's text.vector is {b.ending}, and a's is {a.ending}"
            found.append(VectorFound("normalization", says, FIXES["normalization"], before, after))
        return found

    def _left(self, way: Way) -> float:
        """What is left of the difference when ``a`` goes the way of ``b``."""
        i = 1 if self.hidden[1] else 0
        size = self.vectors[1].shape[1]
        made = way.of(self.hidden[i], self.inputs[i]["padding_mask"], size)
        return largest(made, self.vectors[1])

    @property
    def bare(self) -> bool:
        """Whether ``b`` shows nothing but vectors."""
        return not self.hidden[1]

    def suspects(self, way: Way) -> tuple[Suspect, Suspect]:
        """The sides, as the search for causes takes them."""
        first, second = (
            self._suspect(way, _first(inputs), _first({**hidden, self.stage: vectors}))
            for inputs, hidden, vectors in zip(self.inputs, self.hidden, self.vectors)
        )
        return first, second

    def _suspect(self, way: Way, inputs: Inputs, stages: Stages) -> Suspect:
        whole = {**graph(self.model.config), **way.steps(stages[self.stage].shape[1])}
        replay = Replay(whole, self.model.weights, inputs, stages)
        slack = {self.stage: self._limit}
        return Suspect(replay, self.model.config, slack, slack=slack)

    # -- what is done to texts and ids -------------------------------------------------------------

    def explain(self, way: Way) -> VectorFound | None:
        """What was done to the texts of one side and not of the other."""
        before = largest(*self.vectors)
        for each in self._hypotheses(way):
            after = self._tried(each, 1)  # one is cheaper, and nearly always enough to see
            if after <= self._limit:
                after = self._tried(each, len(self.texts))
            if after <= self._limit and after * FALLS <= before:
                fix = {**mistakes.FIXES, **FIXES}[each.cause]
                return VectorFound(each.cause, each.says, fix, before, after)
        return None

    def _tried(self, hypothesis: _Hypothesis, count: int) -> float:
        made, truth = hypothesis.make(count), hypothesis.truth[:count]
        return largest(made, truth) if made is not None and made.shape == truth.shape else np.inf

    def _hypotheses(self, way: Way) -> Iterator[_Hypothesis]:
        for change in (*CHANGES, *PROMPTS):
            yield from self._changed(change)
        own = _ids(self._sources[0], self.texts) or []
        without = [ids[1:-1] or ids for ids in own]
        yield self._other("special_tokens_missing", "adds neither [CLS] nor [SEP]", way, without)
        for n in self._cuts(own):
            cut = [[*ids[: n - 1], ids[-1]] if len(ids) > n else ids for ids in own]
            yield self._other("max_length", f"cuts texts at {n} tokens", way, cut)
        most = self.model.config.max_sequence_length
        longest = max(map(len, self._all), default=0)
        for T in sorted({min(T, most) for T in (longest, *LENGTHS)}):
            if max(map(len, own), default=T + 1) <= T:
                says = f"attends to padding, up to {T} tokens"
                yield self._other("padding_attended", says, way, own, T, attended=True)
                says = f"takes the mean over padding too, up to {T} tokens"
                over = Way(OVER_PADDING, way.ending)
                yield self._other("mean_over_padding", says, over, own, T)

    def _changed(self, change: Change) -> Iterator[_Hypothesis]:
        """The side that does not change its texts is given them changed."""
        texts = [change.change(text) for text in self.texts]
        if texts == self.texts:
            return
        for lacks, does, source in (("b", "a", 1), ("a", "b", 0)):
            says = f"{lacks} does not {change.does}, and {does} does"
            make = partial(_vectors, self._sources[source], self.stage, texts)
            yield _Hypothesis(change.key, says, make, self.vectors[1 - source])

    def _cuts(self, own: Sequence[Ids]) -> Sequence[int]:
        """Limits that would leave alone all texts that agree, and cut all that differ."""
        alone = max((len(self._all[i]) for i in self._same if i < len(self._all)), default=0)
        return range(max(alone, 3), min(map(len, own), default=0))[:MOST_CUTS]

    def _other(
        self,
        cause: str,
        says: str,
        way: Way,
        ids: Sequence[Ids],
        T: int | None = None,
        *,
        attended: bool = False,
    ) -> _Hypothesis:
        """The vectors that ``a``'s model makes of other ids."""

        def make(count: int) -> Array | None:
            inputs = padded_ids(ids[:count], T)
            if attended:
                inputs["padding_mask"] = np.ones_like(inputs["padding_mask"])
            hidden = _hidden(self._sources[0], inputs)
            if "sequence_output" not in hidden:
                return None
            return way.of(hidden, inputs["padding_mask"], self.vectors[1].shape[1])

        return _Hypothesis(cause, f"b {says}", make, self.vectors[1])


def _first(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array[:SEARCHED] for name, array in arrays.items()}


def padded_ids(rows: Sequence[Ids], T: int | None = None) -> dict[str, Array]:
    """One text a row, padded to the longest or to ``T`` tokens."""
    inputs = padded([(list(ids), [0] * len(ids)) for ids in rows])
    more = max((T or 0) - inputs["token_ids"].shape[1], 0)
    return {name: np.pad(array, ((0, 0), (0, more))) for name, array in inputs.items()}


def _rows(texts: Sequence[str], a: Array, b: Array, limit: float) -> tuple[list[int], list[int]]:
    """The shortest of the texts that differ, which are cheap to run; and those that do not."""
    differ = distance(a.astype(np.float64), b.astype(np.float64)).max(axis=1) > limit
    shortest = sorted(np.flatnonzero(differ).tolist(), key=lambda i: len(texts[i]))
    return sorted(shortest[:TEXTS]), np.flatnonzero(~differ).tolist()


def _ids(source: Source, texts: Sequence[str]) -> list[Ids] | None:
    tokens = source.tokenize(texts)
    return None if tokens is None else list(tokens.ids)


def _hidden(source: Source, inputs: Inputs) -> dict[str, Array]:
    """What a side that is at hand gives at the end of its model."""
    if source.recorded is not None or not inputs:
        return {}
    shown: Mapping[str, Any] = source.run(inputs)
    return {stage: np.asarray(shown[stage]) for stage in _HIDDEN if stage in shown}


def _vectors(source: Source, stage: str, texts: Sequence[str], count: int) -> Array | None:
    if source.recorded is not None:
        return None
    shown = source.encode(texts[:count]) or {}
    return np.asarray(shown[stage]) if stage in shown else None
