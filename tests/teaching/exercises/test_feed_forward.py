"""GELU, the feed-forward block and the pooler as learners write them, right and wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

import npbert

ROOT = math.sqrt(2 / math.pi)
erf = np.vectorize(math.erf)


def tanh_form(x):
    return 0.5 * x * (1.0 + np.tanh(ROOT * (x + 0.044715 * np.power(x, 3))))


def erf_form(x):
    return x * 0.5 * (1 + erf(x / math.sqrt(2)))


def by_sigmoid(x):
    """The same as the tanh form: (1 + tanh(y)) / 2 is sigmoid(2 y)."""
    x = np.float32(x)
    return x / (1 + np.exp(-2 * np.float32(ROOT) * (x + np.float32(0.044715) * x * x * x)))


@pytest.mark.parametrize("right", [tanh_form, by_sigmoid])
def test_right_tanh_forms(right):
    assert npbert.check("gelu", right), npbert.check("gelu", right)


def test_the_right_erf_form():
    assert npbert.check("gelu_erf", erf_form)
    assert npbert.check("gelu_erf", lambda x: erf_form(np.float32(x)))


WRONG = {
    "gelu_erf": erf_form,
    "gelu_quick": lambda x: x / (1 + np.exp(-1.702 * x)),
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "activation_missing": lambda x: x,
    "gelu_no_cube": lambda x: 0.5 * x * (1 + np.tanh(ROOT * x)),
    "gelu_squared": lambda x: 0.5 * x * (1 + np.tanh(ROOT * (x + 0.044715 * x**2))),
    "gelu_no_root": lambda x: 0.5 * x * (1 + np.tanh(2 / math.pi * (x + 0.044715 * x**3))),
    "gelu_other_root": lambda x: (
        0.5 * x * (1 + np.tanh(math.sqrt(2 * math.pi) * (x + 0.044715 * x**3)))
    ),
    "gelu_not_halved": lambda x: 2 * tanh_form(x),
    "gelu_no_one": lambda x: 0.5 * x * np.tanh(ROOT * (x + 0.044715 * x**3)),
    "gelu_chance_alone": lambda x: tanh_form(x) / x,
}


@pytest.mark.parametrize("cause", WRONG)
def test_wrong_tanh_forms_are_named(cause):
    verdict = npbert.check("gelu", WRONG[cause])
    assert not verdict
    assert verdict.cause == cause


WRONG_ERF = {
    "gelu_tanh": tanh_form,
    "gelu_no_root": lambda x: 0.5 * x * (1 + erf(x)),
    "gelu_no_one": lambda x: 0.5 * x * erf(x / math.sqrt(2)),
    "gelu_density": lambda x: x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi),
}


@pytest.mark.parametrize("cause", WRONG_ERF)
def test_wrong_erf_forms_are_named(cause):
    verdict = npbert.check("gelu_erf", WRONG_ERF[cause])
    assert not verdict
    assert verdict.cause == cause


def test_the_toy_has_no_erf_form():
    verdict = npbert.check("gelu_erf", tanh_form)
    assert verdict.stage is None
    assert "not in the toy BERT's own numbers" in verdict.where
    assert verdict.effect is None
    assert "the real model" not in npbert.check("gelu_erf", erf_form).sentence


# -- the block -------------------------------------------------------------------------------------


def block(x, k1, b1, k2, b2, activation=tanh_form):
    return activation(x @ k1 + b1) @ k2 + b2


WRONG_BLOCKS = {
    "activation_missing": lambda *x: block(*x, activation=lambda y: y),
    "relu": lambda *x: block(*x, activation=lambda y: np.maximum(y, 0)),
    "gelu_erf": lambda *x: block(*x, activation=erf_form),
    "bias_missing": lambda x, k1, b1, k2, b2: block(x, k1, b1, k2, 0 * b2),
    "both_biases_missing": lambda x, k1, b1, k2, b2: tanh_form(x @ k1) @ k2,
    "bias_after_activation": lambda x, k1, b1, k2, b2: (tanh_form(x @ k1) + b1) @ k2 + b2,
    "activation_after": lambda x, k1, b1, k2, b2: tanh_form((x @ k1 + b1) @ k2 + b2),
    "activation_twice": lambda *x: tanh_form(block(*x)),
    "activation_before": lambda x, k1, b1, k2, b2: (tanh_form(x) @ k1 + b1) @ k2 + b2,
    "residual_inside": lambda x, *rest: x + block(x, *rest),
    "second_layer_missing": lambda x, k1, b1, k2, b2: tanh_form(x @ k1 + b1),
}


@pytest.mark.parametrize("cause", WRONG_BLOCKS)
def test_wrong_blocks_are_named(cause):
    verdict = npbert.check("feed_forward", WRONG_BLOCKS[cause])
    assert not verdict
    assert verdict.cause == cause


def test_right_blocks():
    assert npbert.check("feed_forward", block)
    assert npbert.check("feed_forward", lambda *x: block(*(np.float32(each) for each in x)))


# -- the pooler ------------------------------------------------------------------------------------

WRONG_POOLERS = {
    "pooler_activation": lambda x, k, b: x[:, 0] @ k + b,
    "pooler_missing": lambda x, k, b: x[:, 0],
    "bias_missing": lambda x, k, b: np.tanh(x[:, 0] @ k),
    "kernel_transposed": lambda x, k, b: np.tanh(x[:, 0] @ k.T + b),
    "pooler_token": lambda x, k, b: np.tanh(x.mean(axis=1) @ k + b),
    "pooler_every_token": lambda x, k, b: np.tanh(x @ k + b),
    "pooler_first_text": lambda x, k, b: np.tanh(x[0] @ k + b),
    "tanh_before": lambda x, k, b: np.tanh(x[:, 0]) @ k + b,
}


@pytest.mark.parametrize("cause", WRONG_POOLERS)
def test_wrong_poolers_are_named(cause):
    verdict = npbert.check("pooler", WRONG_POOLERS[cause])
    assert not verdict
    assert verdict.cause == cause


def test_the_right_pooler():
    assert npbert.check("pooler", lambda x, k, b: np.tanh(np.einsum("bd,de->be", x[:, 0], k) + b))
