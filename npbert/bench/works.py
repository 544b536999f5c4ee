"""What is computed: batches of token ids drawn from a seed, and how many operations they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.errors import ConfigError

TEXT_LIMIT: Final = 256
SHAPES: Final = (
    *("bert-base-8x128", "bert-base-1x128", "bert-base-1x512", "bert-base-1x16"),
    *("minilm-8x128", "minilm-1x16"),
)
GROUPS: Final = {  # name -> works
    "shapes": SHAPES,
    "ragged": ("bert-base-ragged",),
    "text": ("minilm-text",),
    "lengths": tuple(f"bert-base-1x{T}" for T in (8, 16, 32, 64, 128, 256, 512)),
    "batches": tuple(f"bert-base-{B}x128" for B in (1, 2, 4, 8, 16, 32)),
    "quick": ("tiny-2x19", "tiny-ragged", "tiny-text"),
}
DEFAULT: Final = (*SHAPES, *GROUPS["ragged"], *GROUPS["text"])
RAGGED_TEXTS: Final = 32
RAGGED_MEDIAN, RAGGED_SIGMA, RAGGED_MOST = 36, 0.75, 256
_NAME: Final = re.compile(
    r"(?P<model>.+)-(?:(?P<B>\d{1,9})x(?P<T>\d{1,9})|(?P<kind>ragged|text))", re.ASCII
)

Ids = NDArray[np.int32]


class Work(NamedTuple):
    """One row of the acceptance table: a model, and what it computes."""

    name: str
    model: str
    kind: str  # "shape", "ragged" or "text"
    B: int = 0
    T: int = 0


class Batch(NamedTuple):
    """A rectangular batch: padded on the right, and which of the job's texts its rows are."""

    ids: Ids  # (B, T)
    mask: Ids  # (B, T), 1 for a token, 0 for padding
    texts: Ids  # (B,)


def parse(names: Sequence[str]) -> list[Work]:
    """Works by name: of `GROUPS`, or MODEL-8x128, MODEL-ragged, MODEL-text.

    Raises:
        ConfigError: a name that is none of them.
    """
    listed = [work for name in names for work in GROUPS.get(name, (name,))]
    return [_parse(name) for name in dict.fromkeys(listed)]


def _parse(name: str) -> Work:
    found = _NAME.fullmatch(name)
    if not found:
        raise ConfigError(
            "the bench knows no such work.",
            where="--work",
            received=name,
            expected=f"{', '.join(GROUPS)}, or MODEL-8x128, MODEL-ragged, MODEL-text",
            fix=f"name some of these, for instance {SHAPES[0]}",
        )
    if found["kind"]:
        return Work(name, found["model"], found["kind"])
    return Work(name, found["model"], "shape", int(found["B"]), int(found["T"]))


def draw(lengths: Sequence[int], vocabulary_size: int, seed: int) -> list[Ids]:
    """Random token ids of these lengths."""
    random = np.random.default_rng(seed)
    return [random.integers(0, vocabulary_size, T).astype(np.int32) for T in lengths]


def ragged_lengths(seed: int, most: int = RAGGED_MOST) -> list[int]:
    """`RAGGED_TEXTS` lengths, lognormal around `RAGGED_MEDIAN`."""
    random = np.random.default_rng(seed)
    normal = random.standard_normal(RAGGED_TEXTS)
    drawn = np.exp(np.log(RAGGED_MEDIAN) + RAGGED_SIGMA * normal)
    return [int(T) for T in np.clip(np.rint(drawn), 4, most)]


def pad(sequences: Sequence[Ids], texts: Sequence[int], width: int = 0) -> Batch:
    """These of the sequences as one batch, as wide as the longest of them, or as ``width``."""
    width = max(width, *(len(sequences[i]) for i in texts))
    ids = np.zeros((len(texts), width), np.int32)
    mask = np.zeros_like(ids)
    for row, i in enumerate(texts):
        ids[row, : len(sequences[i])] = sequences[i]
        mask[row, : len(sequences[i])] = 1
    return Batch(ids, mask, np.array(texts, np.int32))


def one_batch(sequences: Sequence[Ids]) -> list[Batch]:
    """All of them, padded to the longest."""
    return [pad(sequences, range(len(sequences)))]


def sorted_batches(sequences: Sequence[Ids], size: int) -> list[Batch]:
    """Batches of texts of like length, the longest first."""
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    return [pad(sequences, order[i : i + size]) for i in range(0, len(order), size)]


def save(path: Path, batches: Sequence[Batch]) -> Path:
    """Write batches for `load`."""
    arrays = {f"{n}.{i}": a for i, b in enumerate(batches) for n, a in b._asdict().items()}
    np.savez(path, **arrays)
    return path


def load(path: Path) -> list[Batch]:
    """Batches that `save` wrote."""
    with np.load(path) as file:
        count = sum(name.startswith("ids.") for name in file)
        return [Batch(*(file[f"{n}.{i}"] for n in Batch._fields)) for i in range(count)]


def flops(config: BertConfig, lengths: Sequence[int]) -> int:
    """Operations of the encoder on texts of these lengths: each multiply-add counts as two.

    Matrix products only: the four of attention's dense layers, scores and context, and the two of
    the feed-forward part. Padding that an engine computes does not count, nor does the pooler.
    """
    D, F = config.hidden_dim, config.intermediate_dim
    each = [2 * T * (4 * D * D + 2 * D * F) + 4 * T * T * D for T in lengths]
    return config.num_layers * sum(each)
