"""What rounding in float32 is expected to do to every stage of one model: measured, not guessed.

A few rows of the inputs, short and long ones, run many times in float32. Each time every number of
the token embeddings is moved by one unit in its last place, up or down at random, which makes every
later rounding fall another way; half of the runs also add up in another order, because the model's
features are permuted. What lies between these runs and float64 is the noise. Another precision has
so many times the noise as its unit is larger.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from npbert.config import BertConfig
from npbert.parity.difference import (
    F64,
    Spread,
    chosen,
    kept_positions,
    root_mean_square,
    spread,
)
from npbert.parity.graph import graph
from npbert.parity.replay import Replay
from npbert.parity.types import Array, Inputs
from npbert.parity.weights import axes
from npbert.reference import Seen, forward

RUNS: Final = 32
ROWS: Final = (2, 16)
"""At least and at most: a row may have many times the noise of another."""
TOKENS: Final = 12
_WORK: Final = 2e10
"""Multiplications: so many rows are taken as need no more."""

_TABLE: Final = "token_embedding/embeddings"
_LAST: Final = {  # the end of a stage's name -> what its last axis is; the others have D
    **dict.fromkeys(("query", "key", "value", "context"), "H"),
    **dict.fromkeys(("scores", "probs"), "T"),
    **dict.fromkeys(("intermediate", "activation"), "F"),
}
_CACHE_SIZE: Final = 8
_cache: dict[str, Noise] = {}


class Run(NamedTuple):
    """One run in float32, of rows of token embeddings that were moved."""

    rows: Array  # (R, T, D)
    inputs: Inputs  # (R, T); each position is a token of its own
    stages: dict[str, Array]


@dataclasses.dataclass(frozen=True)
class Noise:
    """What float32 does to the stages of one model."""

    errors: Mapping[str, Spread]
    """From float64, all the way from the inputs."""
    rms: Mapping[str, float]
    """Root mean square of the values."""
    runs: Sequence[Run]
    """One for each order of summation."""

    def local(
        self, config: BertConfig, weights: Mapping[str, Array], shown: Iterable[str]
    ) -> dict[str, Spread]:
        """The noise of each op on its own input, or from the nearest stages that are shown.

        Args:
            config, weights: the model that was measured.
            shown: the stages that a side shows.
        """
        found: dict[str, Spread] = {}
        for run in self.runs:
            stages = {stage: run.stages[stage] for stage in shown if stage in run.stages}
            R, T, D = run.rows.shape
            tensors = {**weights, _TABLE: run.rows.reshape(R * T, D)}
            replay = Replay(graph(config), tensors, run.inputs, stages)
            for stage, value in stages.items():
                made = replay.compute(stage)
                assert made is not None  # it was computed from the same weights
                kept = kept_positions(stage, value.shape, run.inputs["padding_mask"])
                found[stage] = _or_more(found.get(stage), spread(value, made, kept))
        return found


def expected(config: BertConfig, weights: Mapping[str, Array], inputs: Inputs) -> Noise:
    """`measure`, once per model and inputs in this process."""
    key = _fingerprint(config, weights, inputs)
    if key not in _cache:
        while len(_cache) >= _CACHE_SIZE:
            _cache.pop(next(iter(_cache)))
        _cache[key] = measure(config, weights, inputs)
    return _cache[key]


def measure(
    config: BertConfig,
    weights: Mapping[str, Array],
    inputs: Inputs,
    *,
    runs: int = RUNS,
    seed: int = 0,
) -> Noise:
    """Run a model many times in float32, and once in float64.

    Args:
        config, weights: the model.
        inputs: what rows of at most `TOKENS` tokens are taken from.
        runs: moved embeddings, half of them for each order of summation.
        seed: of the moves and of the order.
    """
    random = np.random.default_rng(seed)
    few = _few(inputs, _affordable(weights, runs))  # (R, T)
    rows = np.asarray(weights[_TABLE][few["token_ids"]])  # (R, T, D)
    others = {name: tensor for name, tensor in weights.items() if name != _TABLE}
    truth: dict[str, F64] = {}
    exact = {name: np.asarray(tensor, np.float64) for name, tensor in others.items()}
    _run(config, exact, rows.astype(np.float64), few, truth.__setitem__)
    single = {name: np.asarray(tensor, np.float32) for name, tensor in others.items()}
    ascending: dict[str, Array] = {}
    errors: dict[str, Spread] = {}
    first: list[Run] = []
    for order in (ascending, _shuffled(config, random)):
        moved = _moved(rows.astype(np.float32), runs // 2, random)  # (runs, R, T, D)
        found, stages = _measured(config, single, moved, few, order, truth)
        errors = {stage: _or_more(errors.get(stage), each) for stage, each in found.items()}
        first.append(Run(moved[0], _own_tokens(few), stages))
    return Noise(errors, {stage: _size(stage, x, few) for stage, x in truth.items()}, first)


def _affordable(weights: Mapping[str, Array], runs: int) -> int:
    """How many rows are measured."""
    size = sum(tensor.size for name, tensor in weights.items() if "embedding" not in name)
    return int(np.clip(_WORK / (runs * TOKENS * (size + 1)), *ROWS))


def _size(stage: str, x: F64, inputs: Inputs) -> float:
    return root_mean_square(chosen(x, kept_positions(stage, x.shape, inputs["padding_mask"])))


def _or_more(a: Spread | None, b: Spread) -> Spread:
    """The larger of each number."""
    return b if a is None else Spread(*map(max, a, b))


def _few(inputs: Inputs, most: int) -> dict[str, Array]:
    """The first and the last tokens of a few rows, from the shortest to the longest, (R, T).

    The ends matter: the largest values of a trained BERT lie at [CLS] and [SEP].
    """
    kept = np.asarray(inputs["padding_mask"]) != 0
    kept[~kept.any(axis=1), 0] = True
    lengths = np.minimum(kept.sum(axis=1), TOKENS)
    places = np.linspace(0, len(kept) - 1, min(most, len(kept))).round().astype(int)
    rows = np.argsort(lengths, kind="stable")[places]
    found = {name: np.zeros((len(rows), lengths[rows].max()), int) for name in inputs}  # (R, T)
    for i, row in enumerate(rows):
        columns = np.flatnonzero(kept[row])
        columns = np.append(columns[: lengths[row] - 1], columns[-1])
        for name, array in found.items():
            array[i, : len(columns)] = inputs[name][row, columns]
    found["padding_mask"] = np.arange(lengths[rows].max()) < lengths[rows, None]
    return found


def _moved(x: Array, runs: int, random: np.random.Generator) -> Array:
    up = random.random((runs, *x.shape), np.float32) < 0.5
    return np.nextafter(x, np.where(up, np.float32(np.inf), np.float32(-np.inf)))


def _run(
    config: BertConfig, weights: Mapping[str, Array], rows: Array, inputs: Inputs, seen: Seen
) -> None:
    """The forward pass on rows of token embeddings, (B, T, D)."""
    table = rows.reshape(-1, rows.shape[-1])
    own = _own_tokens(inputs)
    ids, segments, mask = own["token_ids"], own["segment_ids"], own["padding_mask"]
    forward(config, {**weights, _TABLE: table}, ids, segments, mask, seen=seen)


def _own_tokens(inputs: Inputs) -> dict[str, Array]:
    """The same inputs, but each position is a token of its own, with a row in the table."""
    shape = inputs["token_ids"].shape
    return {**inputs, "token_ids": np.arange(np.prod(shape)).reshape(shape)}


def _measured(
    config: BertConfig,
    weights: Mapping[str, Array],
    moved: Array,
    inputs: Inputs,
    order: Mapping[str, Array],
    truth: Mapping[str, F64],
) -> tuple[dict[str, Spread], dict[str, Array]]:
    """All runs of one order of summation, in one batch: errors, and the first one's stages."""
    runs, R, T, D = moved.shape
    errors: dict[str, Spread] = {}
    first: dict[str, Array] = {}
    many = {name: np.tile(array, (runs, 1)) for name, array in inputs.items()}

    def seen(stage: str, value: Array) -> None:
        axis = _LAST.get(stage.rpartition(".")[2], "D")
        if axis in order:
            value = value[..., np.argsort(order[axis])]
        first[stage] = value[:R].copy()
        exact = np.broadcast_to(truth[stage], (runs, *truth[stage].shape)).reshape(value.shape)
        kept = kept_positions(stage, value.shape, many["padding_mask"])
        errors[stage] = spread(value, exact, kept)

    batch = _permute(moved.reshape(runs * R, T, D), "BTD", order)
    _run(config, _permuted(weights, order), batch, many, seen)
    return errors, first


# -- another order of summation --------------------------------------------------------------------


def _shuffled(config: BertConfig, random: np.random.Generator) -> dict[str, Array]:
    """Of the axes that are summed over, tokens apart."""
    sizes = {"D": config.hidden_dim, "H": config.head_dim, "F": config.intermediate_dim}
    return {axis: random.permutation(size) for axis, size in sizes.items()}


def _permuted(weights: Mapping[str, Array], order: Mapping[str, Array]) -> dict[str, Array]:
    """The same model with its features in another order."""
    return {name: _permute(tensor, axes(name), order) for name, tensor in weights.items()}


def _permute(tensor: Array, letters: str, order: Mapping[str, Array]) -> Array:
    for i, axis in enumerate(letters):
        if axis in order:
            tensor = np.take(tensor, order[axis], axis=i)
    return tensor


def _fingerprint(config: BertConfig, weights: Mapping[str, Array], inputs: Inputs) -> str:
    """Of the few rows, and of a sample of each tensor: noise does not hang on single weights."""
    digest = hashlib.blake2b(repr(config).encode())
    few = _few(inputs, _affordable(weights, RUNS))
    for array in (*few.values(), *(weights[name] for name in sorted(weights))):
        step = max(1, array.size // 4096)
        digest.update(repr((array.shape, str(array.dtype))).encode())
        digest.update(np.ascontiguousarray(array.reshape(-1)[::step]).tobytes())
    return digest.hexdigest()
