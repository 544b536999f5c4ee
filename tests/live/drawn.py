"""Models and inputs that no golden has: drawn from a seed that every run chooses anew."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden import cases as golden
from golden.cases import MASKS, Arrays, Case

ROWS = 24


class Built(NamedTuple):
    """A case with its numbers."""

    case: Case
    inputs: Arrays
    weights: Arrays


class Sizes(NamedTuple):
    """The ranges that a config's numbers come from, ends included."""

    layers: tuple[int, int]
    heads: tuple[int, int]
    head_dim: tuple[int, int]
    intermediate: tuple[int, int]
    positions: tuple[int, int]


# The mix of the goldens: narrow ones, one head, head sizes 32 and 64, rows longer than a part of
# the sum (256), and long sequences with a wide block.
KERAS_SIZES = (
    Sizes((1, 1), (3, 6), (3, 9), (21, 60), (6, 14)),
    Sizes((2, 3), (1, 1), (29, 47), (31, 60), (9, 17)),
    Sizes((1, 2), (2, 7), (3, 9), (20, 50), (7, 12)),
    Sizes((3, 4), (2, 4), (7, 13), (30, 70), (5, 11)),
    Sizes((1, 2), (2, 5), (32, 32), (40, 90), (8, 13)),
    Sizes((1, 3), (2, 3), (64, 64), (40, 90), (7, 12)),
    Sizes((1, 2), (4, 6), (45, 67), (25, 60), (6, 10)),
    Sizes((1, 1), (4, 5), (31, 41), (520, 800), (38, 55)),
    Sizes((2, 2), (3, 5), (43, 64), (270, 530), (10, 20)),
)

HUGGING_FACE_SIZES = (
    Sizes((2, 3), (2, 5), (5, 9), (30, 60), (8, 14)),
    Sizes((1, 2), (3, 4), (32, 45), (50, 99), (7, 13)),
    Sizes((3, 4), (1, 1), (29, 41), (45, 90), (9, 15)),
    Sizes((1, 1), (2, 3), (64, 64), (260, 400), (10, 17)),
)


def keras_cases(seed: int) -> list[Case]:
    """Configs in both of Keras's mask paths, by turns, each with `ROWS` sequences."""
    masks = tuple(MASKS[i % len(MASKS)] for i in range(ROWS))
    cases: list[Case] = []
    for i, sizes in enumerate(KERAS_SIZES):
        rng = np.random.default_rng([seed, i])
        dropout = float(rng.uniform(0.05, 0.5)) if i % 2 else 0.0
        cases.append(_case(rng, f"drawn_{i}", [seed, i, 1], sizes, masks, dropout=dropout))
    return cases


def hugging_face_cases(seed: int) -> list[Case]:
    """Configs with what only Hugging Face's files say: GELU, epsilon, three segments.

    A fully masked row is uniform there whatever the dropout, so it comes only with dropout 0.
    """
    cases: list[Case] = []
    for i, sizes in enumerate(HUGGING_FACE_SIZES):
        rng = np.random.default_rng([seed, 100 + i])
        masks = MASKS if i % 2 else MASKS[:-1]
        name = f"hugging_face_{i}"
        dropout = 0.0 if i % 2 else 0.1
        case = _case(rng, name, [seed, 100 + i, 1], sizes, masks, dropout=dropout, segments=3)
        own = {"activation": ("gelu", "gelu_approximate")[i % 2], "layer_norm_epsilon": 1e-5}
        cases.append(dataclasses.replace(case, config=case.config | own))
    return cases


def build(case: Case) -> Built:
    """The case's inputs by name and weights by canonical name, as `golden.cases` draws them."""
    arrays, weights = golden.build(case)
    inputs = {name.removeprefix("inputs."): array for name, array in arrays.items()}
    return Built(case, inputs, weights)


def _case(
    rng: np.random.Generator,
    name: str,
    seed: list[int],
    sizes: Sizes,
    masks: tuple[str, ...],
    *,
    dropout: float,
    segments: int | None = None,
) -> Case:
    config = _config(rng, sizes, dropout, len(masks), segments)
    tokens = int(rng.integers(2, config["max_sequence_length"] + 1))
    return Case(name=name, about="", seed=seed, config=config, tokens=tokens, masks=masks)


def _config(
    rng: np.random.Generator, sizes: Sizes, dropout: float, rows: int, segments: int | None
) -> dict[str, Any]:
    """Fields within these sizes, drawn again until no two dimensions are equal."""
    while True:
        layers, heads, head_dim, intermediate, positions = (_between(rng, pair) for pair in sizes)
        vocabulary = _between(rng, (15, 90))
        s = segments or _between(rng, (2, 6))
        dimensions = (vocabulary, heads, heads * head_dim, head_dim, intermediate, positions, s)
        different = {*dimensions, rows, layers}
        one = heads == 1  # then D is H
        if len(different) == len(dimensions) + 2 - one - (layers in dimensions):
            return golden.config(
                vocabulary,
                layers,
                heads,
                heads * head_dim,
                intermediate,
                positions,
                s,
                dropout=dropout,
            )


def _between(rng: np.random.Generator, ends: tuple[int, int]) -> int:
    return int(rng.integers(ends[0], ends[1] + 1))


def rows_of(arrays: Arrays, row: int) -> NDArray[np.float64]:
    """One sequence's two outputs as one vector."""
    return np.concatenate(
        [np.asarray(arrays[n][row], np.float64).ravel() for n in ("sequence_output", "pooled_output")]
    )
