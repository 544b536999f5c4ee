"""A text that is too long, read in windows: each has a vector, and the text has their mean.

The tokens of a text are cut into windows as long as the model allows, one after the other, without
an overlap; the last is what is left. Each begins with [CLS] and the prompt, if there is one, and
ends with [SEP]. The text's vector is the mean of its windows' vectors, each weighted by its tokens
without those, and divided by its length where the model's last module does that. A text of one
window has that window's vector.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npbert.errors import ConfigError
from npbert.ops.pooling import l2_normalize_kernel, weighted_mean
from npbert.ops.types import Array
from npbert.simd import buffers
from npbert.simd.precision import FLOAT32, Precision

Ids = NDArray[np.int32]


class Windows(NamedTuple):
    """The windows of all texts.

    Args:
        ids: one array a window.
        starts: (B + 1,), where each text's begin.
        weights: (W,), the tokens of each that are its text's own.
    """

    ids: list[Ids]
    starts: NDArray[np.int64]
    weights: NDArray[np.int64]


def cut(texts: list[Ids], limit: int, lead: int) -> Windows:
    """Every text as windows.

    Args:
        texts: all token ids of each text, [CLS] and [SEP] included.
        limit: tokens of a window at most.
        lead: how many stand before the text's own: [CLS] and the prompt.

    Raises:
        ConfigError: the prompt leaves no room for a text.
    """
    room = limit - lead - 1
    if room < 1:
        raise ConfigError(
            "the prompt leaves no room for a text.",
            received=f"{lead - 1} tokens",
            expected=f"at most {limit - 3} of {limit}: [CLS], [SEP] and a token are needed too",
            fix="use a shorter prompt",
        )
    windows = [_cut_one(ids, limit, lead, room) for ids in texts]
    flat = [ids for each in windows for ids in each]
    starts = np.cumsum([0, *map(len, windows)], dtype=np.int64)
    return Windows(flat, starts, np.array([len(ids) - lead - 1 for ids in flat], np.int64))


def _cut_one(ids: Ids, limit: int, lead: int, room: int) -> list[Ids]:
    if len(ids) <= limit:
        return [ids]
    before, own, after = np.split(ids, [lead, len(ids) - 1])
    parts = [own[start : start + room] for start in range(0, len(own), room)]
    return [np.concatenate([before, part, after]) for part in parts]


def join(
    vectors: Array, windows: Windows, *, normalize: bool, precision: Precision = FLOAT32
) -> Array:
    """(W, padded dimension) -> (B, padded dimension)"""
    first = windows.starts[:-1]
    out = buffers.empty(len(first), vectors.shape[1], dtype=vectors.dtype)
    out[:] = vectors[first]
    several = np.flatnonzero(np.diff(windows.starts) > 1)
    if len(several):
        means = buffers.empty(len(several), vectors.shape[1], dtype=vectors.dtype)
        begins, ends = first[several], windows.starts[several + 1]
        weighted_mean(vectors, windows.weights, begins, ends, means, precision)
        if normalize:
            l2_normalize_kernel[precision](means, means)
        out[several] = means
    return out
