"""Layer norms as learners write them, right and wrong."""

from __future__ import annotations

import numpy as np
import pytest

import npbert
from npbert.ops.layer_norm import layer_norm


def loops(x, gamma, beta, epsilon):
    out = np.empty_like(x)
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            row = x[b, t]
            mean = sum(row) / len(row)
            variance = sum((v - mean) ** 2 for v in row) / len(row)
            out[b, t] = [
                (v - mean) / (variance + epsilon) ** 0.5 * g + s
                for v, g, s in zip(row, gamma, beta)
            ]
    return out


def in_float32(x, gamma, beta, epsilon):
    x, gamma, beta = (np.float32(each) for each in (x, gamma, beta))
    centred = x - x.mean(-1, keepdims=True)
    variance = np.einsum("btd,btd->bt", centred, centred)[..., None] / np.float32(x.shape[-1])
    return centred / np.sqrt(variance + np.float32(epsilon)) * gamma + beta


def folded(x, gamma, beta, epsilon):
    """As Keras computes it."""
    scale = gamma / np.sqrt(x.var(axis=-1, keepdims=True) + epsilon)
    return x * scale + (beta - x.mean(axis=-1, keepdims=True) * scale)


@pytest.mark.parametrize("right", [loops, in_float32, folded, layer_norm])
def test_right_answers(right):
    verdict = npbert.check("layer_norm", right)
    assert verdict, verdict
    assert verdict.sentence == (
        "Your layer_norm is right: it gives the real model's numbers in all 5 places where it"
        " stands."
    )


def mean(x, **more):
    return x.mean(axis=-1, keepdims=True, **more)


WRONG = {
    "layer_norm_unbiased": lambda x, g, b, e: (
        (x - mean(x)) / np.sqrt(x.std(-1, ddof=1, keepdims=True) ** 2 + e) * g + b
    ),
    "layer_norm_epsilon_outside": lambda x, g, b, e: (
        (x - mean(x)) / (x.std(-1, keepdims=True) + e) * g + b
    ),
    "layer_norm_epsilon": lambda x, g, b, e: (x - mean(x)) / x.std(-1, keepdims=True) * g + b,
    "layer_norm_no_mean": lambda x, g, b, e: x / np.sqrt(mean(x * x) + e) * g + b,
    "layer_norm_affine_missing": lambda x, g, b, e: loops(x, g, 0 * b, e),
    "layer_norm_gamma_beta_swapped": lambda x, g, b, e: loops(x, b, g, e),
    "layer_norm_missing": lambda x, g, b, e: x,
    "norm_over_tokens": lambda x, g, b, e: (
        (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + e) * g + b
    ),
    "norm_over_batch": lambda x, g, b, e: (
        (x - x.mean(0, keepdims=True)) / np.sqrt(x.var(0, keepdims=True) + e) * g + b
    ),
    "norm_over_all": lambda x, g, b, e: (x - x.mean()) / np.sqrt(x.var() + e) * g + b,
    "divides_by_variance": lambda x, g, b, e: (
        (x - mean(x)) / (x.var(-1, keepdims=True) + e) * g + b
    ),
    "mean_not_subtracted": lambda x, g, b, e: x / np.sqrt(x.var(-1, keepdims=True) + e) * g + b,
    "beta_before_gamma": lambda x, g, b, e: (loops(x, np.ones_like(g), 0 * b, e) + b) * g,
}


@pytest.mark.parametrize("cause", WRONG)
def test_mistakes_are_named(cause):
    verdict = npbert.check("layer_norm", WRONG[cause])
    assert not verdict
    assert verdict.cause == cause
    assert verdict.fix
    assert verdict.example


def test_a_mistake_that_the_toy_hides_is_shown_all_the_same():
    """Its epsilon is 1e-12, and every row varies more than that."""
    verdict = npbert.check("layer_norm", WRONG["layer_norm_epsilon"])
    assert verdict.stage is None
    assert "not in the toy BERT's own numbers" in verdict.where


@pytest.mark.parametrize("own", [1e-12, 1e-5])
def test_an_epsilon_of_ones_own_is_named_as_such(own):
    verdict = npbert.check("layer_norm", lambda x, g, b, e: loops(x, g, b, own))
    assert verdict.cause == "layer_norm_epsilon"
    assert verdict.sentence == "Your layer_norm does not use the epsilon that it is given."


@pytest.mark.parametrize("factor", [2, 0.5, 1 / np.sqrt(2)])
def test_a_scaled_input_is_not_taken_for_another_epsilon(factor):
    assert npbert.check("layer_norm", lambda x, *rest: loops(x * factor, *rest)).cause is None
    verdict = npbert.check("residual_norm", lambda x, y, *rest: loops((x + y) * factor, *rest))
    assert not verdict
    assert verdict.cause is None


def test_nan_of_a_negative_root_is_not_taken_for_an_overflow():
    def wrong(x, gamma, beta, epsilon):
        return (x - mean(x)) / np.sqrt(x.var(-1, keepdims=True) - epsilon) * gamma + beta

    verdict = npbert.check("layer_norm", wrong)
    assert verdict.cause == "nan"
    assert verdict.fix.endswith("roots of negative ones")


def residual(x, block, gamma, beta, epsilon):
    return loops(x + block, gamma, beta, epsilon)


WRONG_RESIDUALS = {
    "norm_before_residual": lambda x, y, g, b, e: loops(y, g, b, e) + x,
    "pre_norm": lambda x, y, g, b, e: loops(x, g, b, e) + y,
    "residual_missing": lambda x, y, g, b, e: loops(y, g, b, e),
    "block_forgotten": lambda x, y, g, b, e: loops(x, g, b, e),
    "layer_norm_missing": lambda x, y, g, b, e: x + y,
    "residual_added_again": lambda x, y, g, b, e: residual(x, y, g, b, e) + x,
    "residual_multiplied": lambda x, y, g, b, e: loops(x * y, g, b, e),
    "layer_norm_unbiased": lambda x, y, g, b, e: WRONG["layer_norm_unbiased"](x + y, g, b, e),
    "layer_norm_epsilon_outside": lambda x, y, g, b, e: WRONG["layer_norm_epsilon_outside"](
        x + y, g, b, e
    ),
    "divides_by_variance": lambda x, y, g, b, e: WRONG["divides_by_variance"](x + y, g, b, e),
}


@pytest.mark.parametrize("cause", WRONG_RESIDUALS)
def test_mistakes_with_the_residual_are_named(cause):
    verdict = npbert.check("residual_norm", WRONG_RESIDUALS[cause])
    assert not verdict
    assert verdict.cause == cause


def test_the_residual_done_right():
    assert npbert.check("residual_norm", residual)
