"""GELU in its two forms, the feed-forward block and the pooler: what learners write instead."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from npbert.config import BertConfig
from npbert.ops import feed_forward as block
from npbert.ops.dense import dense
from npbert.ops.gelu import gelu, gelu_approximate
from npbert.ops.pooler import pooler
from npbert.ops.types import Array
from npbert.parity.graph import kernel_bias
from npbert.teaching.exercise import Exercise, Mistake, Place

_ROOT: Final = math.sqrt(2 / math.pi)


def _activations(config: BertConfig) -> list[Place]:
    return [
        Place(f"layer.{i}.activation", (f"layer.{i}.intermediate",))
        for i in range(config.num_layers)
    ]


def _tanh_form(x: Array, root: float, cubic: float, power: int = 3) -> Array:
    return 0.5 * x * (1 + np.tanh(root * (x + cubic * x**power)))


_TANH_MISTAKES: Final = (
    Mistake(
        "gelu_no_cube",
        "leaves out the cubic term",
        lambda x: _tanh_form(x, _ROOT, 0.0),
        "inside the tanh stands x + 0.044715 x^3",
    ),
    Mistake(
        "gelu_squared",
        "squares x, where x is to be cubed",
        lambda x: _tanh_form(x, _ROOT, 0.044715, 2),
        "inside the tanh stands x + 0.044715 x^3",
    ),
    Mistake(
        "gelu_no_root",
        "multiplies by 2 / pi, where its square root is expected",
        lambda x: _tanh_form(x, 2 / math.pi, 0.044715),
        "use sqrt(2 / pi) = 0.7979",
    ),
    Mistake(
        "gelu_other_root",
        "multiplies by sqrt(2 pi), where sqrt(2 / pi) is expected",
        lambda x: _tanh_form(x, math.sqrt(2 * math.pi), 0.044715),
        "use sqrt(2 / pi) = 0.7979",
    ),
    Mistake(
        "gelu_no_root",
        "leaves out sqrt(2 / pi)",
        lambda x: _tanh_form(x, 1.0, 0.044715),
        "multiply by sqrt(2 / pi) = 0.7979 inside the tanh",
    ),
    Mistake(
        "gelu_not_halved",
        "is twice too large: the factor 1 / 2 is left out",
        lambda x: 2 * gelu_approximate(x),
        "multiply by x / 2",
    ),
    Mistake(
        "gelu_no_one",
        "leaves out the 1 in 1 + tanh(...)",
        lambda x: gelu_approximate(x) - 0.5 * x,
        "tanh runs from -1 to 1, a chance from 0 to 1: x / 2 * (1 + tanh(...))",
    ),
    Mistake(
        "gelu_chance_alone",
        "returns the chance alone: it is not multiplied by x",
        lambda x: 0.5 * (1 + np.tanh(_ROOT * (x + 0.044715 * x**3))),
        "multiply by x",
    ),
)

GELU: Final = Exercise(
    call="gelu(x)",
    shapes="(B, T, F) -> (B, T, F), the tanh form",
    right=gelu_approximate,
    tiny=(np.array([-3.0, -1, 0, 1, 3]),),
    mistakes=_TANH_MISTAKES,
    read="npbert/ops/gelu.py",
    places=_activations,
)


def _chance(x: Array) -> Array:
    """That a normal variable is below x; gelu(x) / x would be 0 / 0 at 0."""
    from scipy.special import ndtr  # at first use, as in `npbert.ops.gelu`

    return np.asarray(ndtr(x))


_ERF_MISTAKES: Final = (
    Mistake(
        "gelu_no_root",
        "takes erf(x), where erf(x / sqrt(2)) is expected",
        lambda x: x * _chance(x * math.sqrt(2)),
        "divide x by sqrt(2) before erf",
    ),
    Mistake(
        "gelu_not_halved",
        "is twice too large: the factor 1 / 2 is left out",
        lambda x: 2 * gelu(x),
        "multiply by x / 2",
    ),
    Mistake(
        "gelu_no_one",
        "leaves out the 1 in 1 + erf(...)",
        lambda x: gelu(x) - 0.5 * x,
        "erf runs from -1 to 1, a chance from 0 to 1: x / 2 * (1 + erf(...))",
    ),
    Mistake(
        "gelu_chance_alone",
        "returns the chance alone: it is not multiplied by x",
        _chance,
        "multiply by x",
    ),
    Mistake(
        "gelu_density",
        "multiplies by the normal density, where the chance to be below x is expected",
        lambda x: x * np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi),
        "use the distribution function: (1 + erf(x / sqrt(2))) / 2",
    ),
)

GELU_ERF: Final = Exercise(
    call="gelu_erf(x)",
    shapes="(B, T, F) -> (B, T, F), the erf form",
    right=gelu,
    tiny=GELU.tiny,
    mistakes=_ERF_MISTAKES,
    read="npbert/ops/gelu.py",
    places=_activations,
    activation="gelu",
)


# -- the block -------------------------------------------------------------------------------------


def _feed_forward(x: Array, k1: Array, b1: Array, k2: Array, b2: Array) -> Array:
    return block.feed_forward(x, k1, b1, k2, b2, activation="gelu_approximate").output


_BLOCK_MISTAKES: Final = (
    Mistake(
        "activation_after",
        "applies GELU after the second dense layer, where it stands between the two",
        lambda x, k1, b1, k2, b2: gelu_approximate(dense(dense(x, k1, b1), k2, b2)),
        "dense, GELU, dense",
    ),
    Mistake(
        "activation_twice",
        "applies GELU after the second dense layer too",
        lambda *x: gelu_approximate(_feed_forward(*x)),
        "dense, GELU, dense, and nothing after it",
    ),
    Mistake(
        "activation_before",
        "applies GELU to its input, where it stands between the two dense layers",
        lambda x, k1, b1, k2, b2: dense(dense(gelu_approximate(x), k1, b1), k2, b2),
        "dense, GELU, dense",
    ),
    Mistake(
        "bias_after_activation",
        "adds the first bias after GELU, where it belongs inside",
        lambda x, k1, b1, k2, b2: dense(gelu_approximate(x @ k1) + b1, k2, b2),
        "gelu(x @ W1 + b1)",
    ),
    Mistake(
        "residual_inside",
        "adds its input already, which the next step does",
        lambda x, *rest: _feed_forward(x, *rest) + x,
        "return the second dense layer's output alone",
    ),
    Mistake(
        "both_biases_missing",
        "lacks both biases",
        lambda x, k1, b1, k2, b2: gelu_approximate(x @ k1) @ k2,
        "add each after its product",
    ),
    Mistake(
        "second_layer_missing",
        "returns what stands between the two dense layers, (B, T, F)",
        lambda x, k1, b1, k2, b2: gelu_approximate(dense(x, k1, b1)),
        "multiply by the second kernel, back to (B, T, D)",
    ),
)


def _blocks(config: BertConfig) -> list[Place]:
    places = []
    for i in range(config.num_layers):
        at, layer = f"layer.{i}", f"transformer_layer_{i}/feedforward"
        names = (
            *kernel_bias(f"{layer}_intermediate_dense"),
            *kernel_bias(f"{layer}_output_dense"),
        )
        places.append(Place(f"{at}.output", (f"{at}.attention_layer_norm",), names))
    return places


FEED_FORWARD: Final = Exercise(
    call="feed_forward(x, intermediate_kernel, intermediate_bias, output_kernel, output_bias)",
    shapes="(B, T, D), (D, F), (F,), (F, D), (D,) -> (B, T, D), with the tanh GELU",
    right=_feed_forward,
    tiny=(
        np.array([[[1.0, -1]]]),
        np.array([[1.0, 0, 2], [0, 1, 1]]),
        np.array([0.0, 1, 0]),
        np.array([[1.0, 0], [0, 1], [1, 1]]),
        np.array([0.0, 5]),
    ),
    mistakes=_BLOCK_MISTAKES,
    read="npbert/ops/feed_forward.py",
    places=_blocks,
)


# -- the pooler ------------------------------------------------------------------------------------

_POOLER_MISTAKES: Final = (
    Mistake(
        "pooler_every_token",
        "treats every token, where [CLS], the first, is expected alone",
        lambda x, kernel, bias: np.tanh(dense(x, kernel, bias)),
        "take sequence_output[:, 0] first",
    ),
    Mistake(
        "pooler_first_text",
        "takes the first text's tokens, sequence_output[0], where each text's first token is meant",
        lambda x, kernel, bias: np.tanh(dense(x[0], kernel, bias)),
        "the batch comes first: sequence_output[:, 0]",
    ),
    Mistake(
        "tanh_before",
        "applies tanh before the dense layer, where it comes last",
        lambda x, kernel, bias: dense(np.tanh(x[:, 0]), kernel, bias),
        "tanh(x @ kernel + bias)",
    ),
)

POOLER: Final = Exercise(
    call="pooler(sequence_output, kernel, bias)",
    shapes="(B, T, D), (D, D), (D,) -> (B, D)",
    right=pooler,
    tiny=(np.array([[[1.0, 2], [5, 5]]]), np.array([[0.5, 1], [0, 0.5]]), np.array([0.0, 1])),
    mistakes=_POOLER_MISTAKES,
    read="npbert/ops/pooler.py",
    places=lambda config: [
        Place("pooled_output", ("sequence_output",), kernel_bias("pooled_dense"))
    ],
)
