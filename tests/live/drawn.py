"""Models and inputs that no golden has: drawn from a seed that every run chooses anew."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from golden import cases as golden
from golden.cases import MASKS, Arrays, Case

ROWS = 22


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


# The mix of the goldens: narrow ones, one head, no layers, head sizes 32 and 64, rows longer than a
# part of the sum (256), and long sequences with a wide block.
KERAS_SIZES = (
    Sizes((1, 1), (3, 6), (3, 9), (21, 60), (6, 14)),
    Sizes((2, 3), (1, 1), (29, 47), (31, 60), (9, 17)),
    Sizes((1, 2), (2, 7), (3, 9), (20, 50), (7, 12)),
    Sizes((3, 4), (2, 5), (7, 13), (30, 70), (7, 13)),
    Sizes((1, 2), (2, 5), (32, 32), (40, 90), (8, 13)),
    Sizes((1, 3), (2, 3), (64, 64), (40, 90), (7, 12)),
    Sizes((1, 2), (4, 6), (45, 67), (25, 60), (7, 12)),
    Sizes((1, 1), (4, 5), (31, 41), (520, 800), (38, 55)),
    Sizes((2, 2), (3, 5), (43, 64), (270, 530), (10, 20)),
    Sizes((1, 1), (6, 9), (44, 57), (300, 700), (8, 15)),
    Sizes((0, 0), (2, 7), (4, 19), (20, 60), (6, 13)),
)

HUGGING_FACE_SIZES = (
    Sizes((2, 2), (4, 6), (7, 9), (30, 60), (9, 14)),
    Sizes((1, 2), (4, 7), (32, 45), (50, 99), (8, 13)),
    Sizes((4, 5), (1, 1), (29, 41), (45, 90), (9, 15)),
    Sizes((1, 1), (2, 4), (64, 64), (260, 400), (10, 17)),
)


def keras_cases(seed: int) -> list[Case]:
    """Configs in both of Keras's mask paths, by turns, each with `ROWS` sequences."""
    masks = tuple(MASKS[i % len(MASKS)] for i in range(ROWS))
    cases: list[Case] = []
    for i, sizes in enumerate(KERAS_SIZES):
        dropout = float(np.random.default_rng([seed, i]).uniform(0.05, 0.5)) if i % 2 else 0.0
        cases.append(_draw(f"keras_{i}", seed * 1000 + i, sizes, masks, dropout=dropout))
    return cases


def hugging_face_cases(seed: int) -> list[Case]:
    """Configs with what only Hugging Face's files say: GELU, epsilon, three segments.

    A fully masked row is uniform there whatever the dropout, so it comes only with dropout 0.
    """
    cases: list[Case] = []
    for i, sizes in enumerate(HUGGING_FACE_SIZES):
        masks, dropout = (MASKS, 0.0) if i % 2 else (MASKS[:-1], 0.1)
        name = f"hugging_face_{i}"
        case = _draw(name, seed * 1000 + 100 + i, sizes, masks, dropout=dropout, segments=3)
        activation = "gelu_approximate" if i % 2 else "gelu"
        own = {"activation": activation, "layer_norm_epsilon": 1e-5}
        cases.append(dataclasses.replace(case, config=case.config | own))
    return cases


def build(case: Case) -> Built:
    """The case's inputs by name and weights by canonical name, as `golden.cases` draws them."""
    arrays, weights = golden.build(case)
    inputs = {name.removeprefix("inputs."): array for name, array in arrays.items()}
    return Built(case, inputs, weights)


def _draw(
    name: str,
    seed: int,
    sizes: Sizes,
    masks: tuple[str, ...],
    *,
    dropout: float,
    segments: int | None = None,
) -> Case:
    """A case within these sizes, drawn again until no two dimensions are equal."""
    rng = np.random.default_rng(seed)
    while True:
        layers, heads, head_dim, intermediate, positions = (
            int(rng.integers(low, high + 1)) for low, high in sizes
        )
        vocabulary = int(rng.integers(15, 90))
        s = segments or int(rng.integers(2, 7))
        tokens = int(rng.integers(2, positions + 1))
        width = heads * head_dim
        dimensions = [len(masks), vocabulary, layers, heads, width, intermediate, positions, s]
        dimensions += [tokens] if tokens != positions else []  # T = P is a case of its own
        dimensions += [head_dim] if heads > 1 else []
        if len(set(dimensions)) == len(dimensions):
            break
    config = golden.config(
        vocabulary, layers, heads, width, intermediate, positions, s, dropout=dropout
    )
    about = "drawn at run time"
    return Case(name=name, about=about, seed=seed, config=config, tokens=tokens, masks=masks)
