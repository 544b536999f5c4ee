"""Which stage is which array, where the names do not say: by shape, order of axes and correlation.

An array may be a stage with its axes in another order, or with neighbouring ones joined or split,
as (B, N, T, H), (B, T, D) and (B * T, D) are of one kind. Of all that fit, correlation decides: it
stays high where a port has a mistake, and is low between stages that merely have one shape.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from npbert.parity.sources.base import Base
from npbert.parity.types import Array, Inputs, Source, Stages, Tokens

LEAST: Final = 0.9
"""Below this correlation nothing is proposed."""

_MOST_AXES: Final = 5
_MOST_VALUES: Final = 65_536
_DIGITS: Final = 4


class Match(NamedTuple):
    """An array that is taken for a stage.

    Args:
        stage: its name.
        axes: the array transposed so, then given ``shape``, is the stage.
        shape: of the stage.
        correlation: between the two, 1 at most.
        second: the highest that the array has with any other stage; near ``correlation``, it is a
            guess.
    """

    stage: str
    axes: tuple[int, ...]
    shape: tuple[int, ...]
    correlation: float
    second: float

    def of(self, array: Array) -> Array:
        """The array as the stage."""
        return array.transpose(self.axes).reshape(self.shape)


class _Candidate(NamedTuple):
    name: str
    stage: str
    axes: tuple[int, ...]
    correlation: float
    distance: float


def auto_map(arrays: Stages, reference_stages: Stages) -> dict[str, Match]:
    """For each array that resembles a stage, which one; no stage is given twice.

    Args:
        arrays: by any names.
        reference_stages: what another implementation gave for the same inputs.
    """
    fits = [
        fit
        for name, array in arrays.items()
        for stage, reference in reference_stages.items()
        if (fit := _fit(name, array, stage, reference)) is not None
    ]
    # The best first; of as good ones, such as a query before and after scaling, the nearest.
    fits.sort(key=lambda fit: (-round(fit.correlation, _DIGITS), fit.distance))
    found: dict[str, Match] = {}
    taken: set[str] = set()
    for fit in fits:
        if fit.correlation < LEAST or fit.name in found or fit.stage in taken:
            continue
        others = (f.correlation for f in fits if f.name == fit.name and f.stage != fit.stage)
        shape = np.shape(reference_stages[fit.stage])
        found[fit.name] = Match(fit.stage, fit.axes, shape, fit.correlation, max(others, default=0))
        taken.add(fit.stage)
    return found


def _fit(name: str, array: Array, stage: str, reference: Array) -> _Candidate | None:
    """The best order of the array's axes for this stage; None if none has its shape."""
    x, y = np.asarray(array), np.asarray(reference)
    if x.ndim > _MOST_AXES or x.size != y.size or x.size < 2:
        return None
    found = [
        _Candidate(name, stage, axes, *_resemblance(x.transpose(axes).reshape(y.shape), y))
        for axes in _orders(x.shape, y.shape)
    ]
    return max(found, key=lambda fit: (fit.correlation, -fit.distance), default=None)


def _orders(shape: Sequence[int], wanted: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Orders of the axes in which one shape only joins or splits neighbours of the other."""
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    rest = [axis for axis, size in enumerate(shape) if size != 1]
    for order in itertools.permutations(rest):
        if _joins([shape[axis] for axis in order], wanted):
            yield (*ones, *order)


def _joins(a: Sequence[int], b: Sequence[int]) -> bool:
    ends_a, ends_b = (set(itertools.accumulate(shape, lambda x, y: x * y)) for shape in (a, b))
    return ends_a <= ends_b | {1} or ends_b <= ends_a | {1}


def _resemblance(x: Array, y: Array) -> tuple[float, float]:
    """Correlation, and the distance in units of ``y``; -1 where one of them does not vary."""
    step = max(1, x.size // _MOST_VALUES)
    a, b = (np.asarray(each.reshape(-1)[::step], np.float64) for each in (x, y))
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return -1.0, math.inf
    u, v = a - a.mean(), b - b.mean()
    spread = math.sqrt(float(u @ u) * float(v @ v))
    correlation = float(u @ v) / spread if spread else -1.0
    size = float(b @ b)
    distance = math.sqrt(float((a - b) @ (a - b)) / size) if size else math.inf
    return correlation, distance


# -- as a source -----------------------------------------------------------------------------------


class Mapped(Base):
    """A source whose unnamed arrays are taken for the stages of another that they resemble.

    Args:
        source: has unnamed arrays.
        reference: says what each stage looks like.
    """

    def __init__(self, source: Base, reference: Source) -> None:
        super().__init__(
            source.name,
            config=source.config,
            recorded=source.recorded,
            environment=source.environment,
        )
        self.kind, self._source, self._reference = source.kind, source, reference
        self.notes = list(source.notes)

    def weights(self) -> Mapping[str, Array] | None:
        return self._source.weights()

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        return self._source.tokenize(texts)

    def encode(self, texts: Sequence[str]) -> Stages | None:
        return self._source.encode(texts)

    def run(self, inputs: Inputs) -> Stages:
        named = self._source.run(inputs)
        arrays = self._source.unnamed(inputs)
        stages = self._reference.run(inputs)
        missing = {stage: array for stage, array in stages.items() if stage not in named}
        matches = auto_map(arrays, missing)
        self.notes = [*self._source.notes, *_notes(arrays, matches)]
        return {**named, **{m.stage: m.of(arrays[name]) for name, m in matches.items()}}


def _notes(arrays: Stages, matches: Mapping[str, Match]) -> Iterator[str]:
    for name, match in matches.items():
        yield (
            f"{name} is taken for {match.stage}: correlation {match.correlation:.6f},"
            f" with the next stage {match.second:.6f}"
        )
    if left := [name for name in arrays if name not in matches]:
        yield f"resembles no stage: {', '.join(left)}"
