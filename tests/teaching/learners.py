"""Softmaxes as learners write them, for those tests that need one."""

from __future__ import annotations

import numpy as np


def along_last(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def keys(mask):
    return mask[:, None, None, :] != 0


def with_minus_infinity(scores, mask):
    return along_last(np.where(keys(mask), scores, -np.inf))


SOFTMAXES = {
    "mask_missing": lambda s, m: along_last(s),
    "mask_inverted": lambda s, m: along_last(np.where(keys(m), -1e9, s)),
    "mask_after_softmax": lambda s, m: along_last(s) * keys(m),
    "mask_multiplied": lambda s, m: along_last(s * keys(m)),
    "mask_added_raw": lambda s, m: along_last(s + keys(m)),
    "causal_mask": lambda s, m: along_last(
        np.where(keys(m) & np.tril(np.ones(s.shape[-2:], bool)), s, -1e9)
    ),
    "mask_value": lambda s, m: along_last(np.where(keys(m), s, s - 10)),
    "overflow": lambda s, m: np.where(
        keys(m), np.exp(s) / (np.exp(s) * keys(m)).sum(-1, keepdims=True), 0
    ),
    "softmax_not_divided": lambda s, m: np.exp(s) * keys(m),
    "softmax_axis": lambda s, m: np.swapaxes(
        along_last(np.swapaxes(np.where(keys(m), s, -1e9), 2, 3)), 2, 3
    ),
    "softmax_over_heads": lambda s, m: np.swapaxes(
        along_last(np.swapaxes(np.where(keys(m), s, -1e9), 1, 3)), 1, 3
    ),
    "queries_masked": lambda s, m: along_last(np.where(m[:, None, :, None] != 0, s, -1e9)),
    "log_softmax": lambda s, m: np.log(with_minus_infinity(s, m)),
}
"""Cause -> a softmax with that mistake."""
