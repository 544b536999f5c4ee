"""Attention and its heads as learners write them, right and wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from teaching.learners import SOFTMAXES, along_last, keys, with_minus_infinity

import npbert
from npbert.ops.attention import attention


def einsums(query, key, value, mask, scale=None, softmax=with_minus_infinity):
    scale = scale or 1 / math.sqrt(query.shape[-1])
    scores = np.einsum("btnh,bsnh->bnts", query, key) * scale
    return np.einsum("bnts,bsnh->btnh", softmax(scores, mask), value)


def head_by_head(query, key, value, mask):
    out = np.zeros(value.shape, np.float32)
    for b in range(query.shape[0]):
        for n in range(query.shape[2]):
            q, k, v = (x[b, :, n].astype(np.float32) for x in (query, key, value))
            scores = q @ k.T / np.sqrt(np.float32(q.shape[1]))
            scores[:, mask[b] == 0] = -1e9
            out[b, :, n] = along_last(scores) @ v
    return out


def zero_for_padding(query, key, value, mask):
    """What a masked query receives is nobody's business."""
    return einsums(query, key, value, mask) * mask[:, :, None, None]


@pytest.mark.parametrize("right", [einsums, head_by_head, zero_for_padding])
def test_right_attention(right):
    assert npbert.check("attention", right), npbert.check("attention", right)


def test_the_steps_of_npbert_are_an_answer():
    def steps(query, key, value, mask):
        return attention(query, key, value, mask, fused=False)

    assert npbert.check("attention", steps)


WRONG_ATTENTION = {
    "attention_scale": lambda q, k, v, m: einsums(q, k, v, m, scale=1.0),
    "queries_keys_exchanged": lambda q, k, v, m: einsums(k, q, v, m),
    "values_are_keys": lambda q, k, v, m: einsums(q, k, k, m),
    "scale_after_softmax": lambda q, k, v, m: einsums(q, k, v, m, scale=1.0) / math.sqrt(8),
    "softmax_forgotten": lambda q, k, v, m: einsums(
        q, k, v, m, softmax=lambda scores, mask: scores * keys(mask)
    ),
    "shares_transposed": lambda q, k, v, m: einsums(
        q, k, v, m, softmax=lambda s, m: np.swapaxes(with_minus_infinity(s, m), 2, 3)
    ),
    "heads_first": lambda q, k, v, m: np.swapaxes(einsums(q, k, v, m), 1, 2),
    "heads_joined": lambda q, k, v, m: einsums(q, k, v, m).reshape(3, 17, 16),
    "values_forgotten": lambda q, k, v, m: with_minus_infinity(
        np.einsum("btnh,bsnh->bnts", q, k) / math.sqrt(8), m
    ),
    **{
        cause: lambda q, k, v, m, wrong=SOFTMAXES[cause]: einsums(q, k, v, m, softmax=wrong)
        for cause in (
            *("mask_missing", "mask_inverted", "mask_after_softmax", "mask_multiplied"),
            *("causal_mask", "softmax_not_divided", "softmax_axis", "queries_masked"),
            "softmax_over_heads",
        )
    },
}


@pytest.mark.parametrize("cause", WRONG_ATTENTION)
def test_wrong_attention_is_named(cause):
    verdict = npbert.check("attention", WRONG_ATTENTION[cause])
    assert not verdict
    assert verdict.cause == cause


def test_the_step_that_is_wrong_is_said():
    verdict = npbert.check("attention", WRONG_ATTENTION["attention_scale"])
    assert verdict.sentence == (
        "Your attention goes wrong at the scores step, which has the scale 1 (none), where"
        " 1 / sqrt(H) = 0.3536 is expected."
    )


# -- heads -----------------------------------------------------------------------------------------

WRONG_SPLITS = {
    "head_split": lambda x, n: np.moveaxis(x.reshape(3, 17, 8, n), 3, 2),
    "head_size_first": lambda x, n: x.reshape(3, 17, 8, n),
    "heads_first": lambda x, n: x.reshape(3, 17, n, 8).transpose(0, 2, 1, 3),
    "heads_outside": lambda x, n: np.array([x[..., i * 8 : i * 8 + 8] for i in range(n)]),
}


@pytest.mark.parametrize("cause", WRONG_SPLITS)
def test_wrong_splits_are_named(cause):
    verdict = npbert.check("split_heads", WRONG_SPLITS[cause])
    assert not verdict
    assert verdict.cause == cause


def test_a_reshape_as_it_lies_is_named():
    verdict = npbert.check("split_heads", lambda x, n: x.reshape(3, n, 17, 8))
    assert verdict.cause == "head_view"
    verdict = npbert.check("split_heads", lambda x, n: x.reshape(3, n, 17, 8).swapaxes(1, 2))
    assert verdict.cause == "head_view"


@pytest.mark.parametrize(
    "right",
    [
        lambda x, num_heads: x.reshape(*x.shape[:2], num_heads, x.shape[2] // num_heads),
        lambda x, num_heads: np.stack(np.split(np.float32(x), num_heads, axis=-1), axis=2),
    ],
)
def test_right_splits(right):
    assert npbert.check("split_heads", right)
