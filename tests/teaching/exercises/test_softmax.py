"""Softmax as learners write it, right and wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from teaching.learners import SOFTMAXES, along_last, keys, with_minus_infinity

import npbert


def with_added_bias(scores, mask):
    """As Hugging Face has it, in float32."""
    bias = (1 - keys(mask)).astype(np.float32) * np.finfo(np.float32).min
    return along_last(scores.astype(np.float32) + bias)


def loops(scores, mask):
    out = np.zeros_like(scores)
    for b, n, t in np.ndindex(scores.shape[:3]):
        kept = np.flatnonzero(mask[b])
        top = max(scores[b, n, t, s] for s in kept)
        weights = [math.exp(scores[b, n, t, s] - top) for s in kept]
        out[b, n, t, kept] = np.array(weights) / sum(weights)
    return out


@pytest.mark.parametrize("right", [with_minus_infinity, with_added_bias, loops])
def test_right_softmaxes(right):
    assert npbert.check("softmax", right), npbert.check("softmax", right)


@pytest.mark.parametrize("cause", SOFTMAXES)
def test_wrong_softmaxes_are_named(cause):
    verdict = npbert.check("softmax", SOFTMAXES[cause])
    assert not verdict
    assert verdict.cause == cause


def test_a_large_negative_number_is_as_good_as_minus_infinity():
    """In BERT's own code it is -10000."""
    assert npbert.check("softmax", lambda s, m: along_last(np.where(keys(m), s, -1e4)))
