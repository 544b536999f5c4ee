"""Layer norm, and the residual before it: what learners write instead."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from npbert.config import BertConfig
from npbert.ops.layer_norm import layer_norm
from npbert.ops.types import Array
from npbert.parity.graph import gamma_beta
from npbert.parity.mistakes.norm import EPSILONS
from npbert.teaching.exercise import Exercise, Mistake, Model, Place
from npbert.teaching.toy_run import changed

_EPSILON: Final = 0.01
"""Large enough to be seen wherever it is forgotten; the toy's is 1e-12."""


def _right(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    return layer_norm(x, gamma, beta, epsilon=epsilon)


def _along(x: Array, gamma: Array, beta: Array, epsilon: float, axis: tuple[int, ...]) -> Array:
    """With mean and variance over other axes."""
    centred = x - x.mean(axis=axis, keepdims=True)
    variance = np.square(centred).mean(axis=axis, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * gamma + beta


def _by_variance(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    return centred / (variance + epsilon) * gamma + beta


def _not_centred(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    return x / np.sqrt(x.var(axis=-1, keepdims=True) + epsilon) * gamma + beta


def _outside(x: Array, gamma: Array, beta: Array, epsilon: float, unbiased: int) -> Array:
    deviation = x.std(axis=-1, keepdims=True, ddof=unbiased)
    return (x - x.mean(axis=-1, keepdims=True)) / (deviation + epsilon) * gamma + beta


_INSIDE: Final = "divide by sqrt(variance + epsilon)"

_MISTAKES: Final = (
    Mistake(
        "layer_norm_epsilon_outside",
        "adds epsilon to the standard deviation, where it belongs under the square root",
        partial(_outside, unbiased=0),
        _INSIDE,
    ),
    Mistake(
        "layer_norm_epsilon_outside",
        "divides the variance by D - 1, and adds epsilon to its root, where it belongs under it",
        partial(_outside, unbiased=1),
        f"{_INSIDE}, the variance being a mean over D (ddof=0)",
    ),
    *(
        Mistake(
            "layer_norm_epsilon",
            "does not use the epsilon that it is given",
            lambda x, gamma, beta, epsilon, other=other: _right(x, gamma, beta, other),
            f"{_INSIDE}: without it a row of equal numbers is 0 / 0",
        )
        for other in (0.0, *EPSILONS)
    ),
    Mistake(
        "norm_over_tokens",
        "takes mean and variance over the tokens (axis 1), where each token has its own",
        lambda x, gamma, beta, epsilon: _along(x, gamma, beta, epsilon, (1,)),
        "take both along the last axis, with keepdims=True",
    ),
    Mistake(
        "norm_over_batch",
        "takes mean and variance over the batch (axis 0), where each token has its own",
        lambda x, gamma, beta, epsilon: _along(x, gamma, beta, epsilon, (0,)),
        "take both along the last axis; over the batch it would be a batch norm",
    ),
    Mistake(
        "norm_over_text",
        "takes one mean and one variance for all tokens of a text, where each token has its own",
        lambda x, gamma, beta, epsilon: _along(x, gamma, beta, epsilon, (1, 2)),
        "take both along the last axis alone",
    ),
    Mistake(
        "norm_over_all",
        "takes one mean and one variance for the whole array, where each token has its own",
        lambda x, gamma, beta, epsilon: _along(x, gamma, beta, epsilon, (0, 1, 2)),
        "take both along the last axis, with keepdims=True",
    ),
    Mistake(
        "divides_by_variance",
        "divides by the variance, where its square root is expected",
        _by_variance,
        _INSIDE,
    ),
    Mistake(
        "mean_not_subtracted",
        "does not subtract the mean from what it divides",
        _not_centred,
        "divide x - mean",
    ),
    Mistake(
        "beta_before_gamma",
        "adds beta before it multiplies by gamma",
        lambda x, gamma, beta, epsilon: (
            _along(x, np.ones_like(gamma), beta, epsilon, (-1,)) * gamma
        ),
        "multiply by gamma, then add beta",
    ),
)


def _norms(config: BertConfig) -> list[Place]:
    def place(stage: str, source: str, layer: str) -> Place:
        arguments = lambda *x: (*x, config.layer_norm_epsilon)  # noqa: E731
        return Place(stage, (source,), gamma_beta(layer), arguments)

    places = [place("embeddings.layer_norm", "embeddings.sum", "embeddings_layer_norm")]
    for i in range(config.num_layers):
        at, layer = f"layer.{i}", f"transformer_layer_{i}"
        norm = f"{at}.attention_layer_norm"
        places += [
            place(norm, f"{at}.attention_residual", f"{layer}/self_attention_layer_norm"),
            place(
                f"{at}.output_layer_norm",
                f"{at}.output_residual",
                f"{layer}/feedforward_layer_norm",
            ),
        ]
    return places


def _small_rows(model: Model) -> Model:
    """Rows that hardly vary, far from 0, and an epsilon that counts."""
    x = model.stages["embeddings.sum"] / 8 + np.arange(3)[:, None, None]
    return changed(model, {"embeddings.sum": x}, layer_norm_epsilon=_EPSILON)


LAYER_NORM: Final = Exercise(
    call="layer_norm(x, gamma, beta, epsilon)",
    shapes="(B, T, D), (D,), (D,), a float -> (B, T, D)",
    right=_right,
    tiny=(np.array([[[1.0, 2, 3, 6], [0, 4, 0, 0]]]), np.full(4, 2.0), np.ones(4), _EPSILON),
    mistakes=_MISTAKES,
    read="npbert/ops/layer_norm.py",
    places=_norms,
    harder=(_small_rows,),
)


# -- with the residual -----------------------------------------------------------------------------


def _residual_norm(
    x: Array, sublayer_output: Array, gamma: Array, beta: Array, epsilon: float
) -> Array:
    return layer_norm(sublayer_output + x, gamma, beta, epsilon=epsilon)


_RESIDUAL_MISTAKES: Final = (
    Mistake(
        "block_forgotten",
        "normalises x alone: what the block made is lost",
        lambda x, block, gamma, beta, epsilon: _right(x, gamma, beta, epsilon),
        "normalise x + sublayer_output",
    ),
    Mistake(
        "pre_norm",
        "normalises x and then adds the block's output: that is a pre-norm",
        lambda x, block, gamma, beta, epsilon: _right(x, gamma, beta, epsilon) + block,
        "BERT adds first and normalises the sum",
    ),
    Mistake(
        "layer_norm_missing",
        "adds, but does not normalise",
        lambda x, block, gamma, beta, epsilon: x + block,
        "apply the layer norm to the sum",
    ),
    Mistake(
        "residual_multiplied",
        "multiplies x and the block's output, where they are to be added",
        lambda x, block, gamma, beta, epsilon: _right(x * block, gamma, beta, epsilon),
        "add them",
    ),
    Mistake(
        "residual_added_again",
        "adds x before the norm, and once more after it",
        lambda x, block, gamma, beta, epsilon: _right(x + block, gamma, beta, epsilon) + x,
        "add it once, before the norm",
    ),
    *(
        mistake._replace(
            function=lambda x, block, *rest, wrong=mistake.function: wrong(x + block, *rest)
        )
        for mistake in _MISTAKES
    ),
)


def _blocks(config: BertConfig) -> list[Place]:
    arguments = lambda *x: (*x, config.layer_norm_epsilon)  # noqa: E731
    places, x = [], "embeddings.layer_norm"
    for i in range(config.num_layers):
        at, layer = f"layer.{i}", f"transformer_layer_{i}"
        y, z = f"{at}.attention_layer_norm", f"{at}.output_layer_norm"
        attention, feed = f"{layer}/self_attention_layer_norm", f"{layer}/feedforward_layer_norm"
        places += [
            Place(y, (x, f"{at}.attention_output"), gamma_beta(attention), arguments),
            Place(z, (y, f"{at}.output"), gamma_beta(feed), arguments),
        ]
        x = z
    return places


def _small_sums(model: Model) -> Model:
    x, block = (model.stages[name] / 8 for name in _FIRST)
    offset = np.arange(3)[:, None, None]
    return changed(model, dict(zip(_FIRST, (x + offset, block))), layer_norm_epsilon=_EPSILON)


_FIRST: Final = ("embeddings.layer_norm", "layer.0.attention_output")

RESIDUAL_NORM: Final = Exercise(
    call="residual_norm(x, sublayer_output, gamma, beta, epsilon)",
    shapes="(B, T, D), (B, T, D), (D,), (D,), a float -> (B, T, D)",
    right=_residual_norm,
    tiny=(
        np.array([[[1.0, 2, 3, 6]]]),
        np.array([[[0.0, 2, 0, 1]]]),
        np.full(4, 2.0),
        np.ones(4),
        _EPSILON,
    ),
    mistakes=_RESIDUAL_MISTAKES,
    read="npbert/reference.py",
    places=_blocks,
    harder=(_small_sums,),
)
