"""Mistakes in a layer norm: Ba, Kiros & Hinton 2016, equation 4."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from npbert.ops.layer_norm import layer_norm
from npbert.ops.types import Array
from npbert.parity.graph import Step, gamma_beta
from npbert.parity.mistakes.cause import NORMS, RESIDUALS, Cause, Offer, Offers, Where, one

EPSILONS: Final = (1e-12, 1e-5, 1e-6, 1e-7, 1e-8, 1e-3, 1e-4)
"""Of the layer norms in use: BERT's, PyTorch's default, many ports', and so on."""


def _epsilon(where: Where) -> Offers:
    expected = where.config.layer_norm_epsilon
    for epsilon in EPSILONS:
        if epsilon != expected:
            says = f"adds {epsilon:g} to the variance, where {expected:g} is expected"
            yield Offer(says, where.replaced(partial(layer_norm, epsilon=epsilon)))
    seen = where.seen
    if seen is None:
        return

    def fitted(x: Array, gamma: Array, beta: Array) -> Array:
        """With the epsilon that the rows of least variance speak for."""
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = _variance(centred)[..., 0]
        normal = (seen - beta) / np.where(gamma == 0, np.inf, gamma)
        root = (centred * normal).sum(axis=-1) / np.square(centred).sum(axis=-1)
        rows = variance <= np.percentile(variance, 20)
        epsilon = float(np.median((1 / root**2 - variance)[rows]))
        return layer_norm(x, gamma, beta, epsilon=epsilon if epsilon > 0 else expected)

    says = f"adds another epsilon to the variance, where {expected:g} is expected"
    yield Offer(says, where.replaced(fitted))


def normalize(x: Array, deviation: Callable[[Array], Array]) -> Array:
    """``(x - mean) / deviation(x - mean)`` along the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / deviation(centred)


def _variance(centred: Array, unbiased: int = 0) -> Array:
    squares = np.square(centred).sum(axis=-1, keepdims=True)
    return squares / (centred.shape[-1] - unbiased)


def _unbiased(where: Where) -> Offers:
    epsilon = where.config.layer_norm_epsilon

    def op(x: Array, gamma: Array, beta: Array) -> Array:
        return normalize(x, lambda c: np.sqrt(_variance(c, 1) + epsilon)) * gamma + beta

    yield Offer("divides the variance by D - 1, where D is expected", where.replaced(op))


def _outside(where: Where) -> Offers:
    """As in the Annotated Transformer: Tensor.std is unbiased, and epsilon is added to it."""
    for epsilon in dict.fromkeys((where.config.layer_norm_epsilon, *EPSILONS)):
        for unbiased in (1, 0):

            def op(x: Array, g: Array, b: Array, e: float = epsilon, u: int = unbiased) -> Array:
                return normalize(x, lambda c: np.sqrt(_variance(c, u)) + e) * g + b

            by = "D - 1" if unbiased else "D"
            says = f"adds {epsilon:g} to the standard deviation (its variance divided by {by})"
            yield Offer(f"{says}, not to the variance", where.replaced(op))


def _no_mean(where: Where) -> Offers:
    epsilon = where.config.layer_norm_epsilon

    def op(x: Array, gamma: Array, beta: Array) -> Array:
        return x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + epsilon) * gamma + beta

    yield Offer("does not subtract the mean (it is an RMS norm)", where.replaced(op))


def _affine(where: Where) -> Offers:
    step = where.step
    forms: dict[str, Callable[[Array, Array, Array], Array]] = {
        "leaves out gamma": lambda x, g, b: step.op(x, np.ones_like(g), b),
        "leaves out beta": lambda x, g, b: step.op(x, g, np.zeros_like(b)),
        "leaves out gamma and beta": lambda x, g, b: step.op(x, np.ones_like(g), np.zeros_like(b)),
        "multiplies by 1 + gamma": lambda x, g, b: step.op(x, 1 + g, b),
    }
    for says, op in forms.items():
        yield Offer(says, where.replaced(op))


def _other_norm(where: Where) -> Offers:
    """The two layer norms of one layer, each with the other's tensors."""
    if where.layer < 0:
        return
    pair = [where.beside(kind) for kind in NORMS[1:]]
    first, second = (where.steps[stage] for stage in pair)
    variant = dict(
        zip(pair, (first._replace(weights=second.weights), second._replace(weights=first.weights)))
    )
    yield Offer("has gamma and beta of the layer's other layer norm", variant)


def _before_residual(where: Where) -> Offers:
    """``norm(block) + x`` in place of ``norm(block + x)``.

    A source that watches the layer norm shows it without what is added: then the residual lacks
    it, and whoever takes the norm takes the sum.
    """
    norm = where.stage if where.kind in NORMS else where.beside(_NORM_OF[where.kind])
    step = where.steps[norm]
    residual = where.steps[step.inputs[0]]
    if len(residual.inputs) != 2:  # the embeddings' has no residual
        return
    says = "is normalised before the residual is added, not after"
    if where.kind in NORMS:

        def op(block: Array, x: Array, gamma: Array, beta: Array) -> Array:
            return np.asarray(step.op(block, gamma, beta) + x)

        yield Offer(says, {norm: Step(op, residual.inputs, step.weights)})
        return
    variant = {where.stage: residual._replace(op=lambda block, x: block)}
    for stage, taker in where.steps.items():
        if norm in taker.inputs:
            variant[stage] = _added(taker, taker.inputs.index(norm), residual.inputs[1])
    yield Offer(says, variant)


def _added(step: Step, at: int, more: str) -> Step:
    """The step with another stage added to its input number ``at``."""

    def op(x: Array, *rest: Array) -> Array:
        values = list(rest)
        values[at] = values[at] + x
        return step.op(*values)

    return step._replace(op=op, inputs=(more, *step.inputs))


def _pre_norm(where: Where) -> Offers:
    """Both norms before their blocks; the residual stream itself is never normalised."""
    i, at = where.layer, where.beside
    norms = [where.steps[at(kind)] for kind in NORMS[1:]]
    names = [gamma_beta(f"transformer_layer_{i}/{n}_layer_norm") for n in _PRE]
    x = where.steps[at("query")].inputs[0]
    residual = at("attention_residual")

    def normed(kind: str, norm: Step, names: tuple[str, str], source: str) -> Step:
        dense = where.steps[at(kind)]

        def op(x: Array, gamma: Array, beta: Array, kernel: Array, bias: Array) -> Array:
            return dense.op(norm.op(x, gamma, beta), kernel, bias)

        return Step(op, (source,), (*names, *dense.weights))

    variant = {at(kind): normed(kind, norms[0], names[0], x) for kind in ("query", "key", "value")}
    variant |= {
        at("attention_layer_norm"): Step(np.asarray, (residual,)),
        at("intermediate"): normed("intermediate", norms[1], names[1], residual),
        at("output_residual"): Step(np.add, (at("output"), residual)),
        at("output_layer_norm"): Step(np.asarray, (at("output_residual"),)),
    }
    yield Offer("is computed from a normalised input: the layer norms come first", variant)


_NORM_OF: Final = dict(zip(RESIDUALS, NORMS[1:]))
_PRE: Final = ("self_attention", "feedforward")
_AFFINE: Final = "load gamma (weight) and beta (bias) of this layer norm, each into its own"

CAUSES: Final = (
    Cause("layer_norm_epsilon", NORMS, _epsilon, "set the layer norm's epsilon (layer_norm_eps)"),
    Cause("layer_norm_unbiased", NORMS, _unbiased, "use the biased variance: divide by D"),
    Cause("layer_norm_epsilon_outside", NORMS, _outside, "divide by sqrt(variance + epsilon)"),
    Cause("layer_norm_no_mean", NORMS, _no_mean, "subtract the row's mean first"),
    Cause(
        "layer_norm_gamma_beta_swapped",
        NORMS,
        one("has gamma and beta swapped", lambda op: lambda x, gamma, beta: op(x, beta, gamma)),
        _AFFINE,
    ),
    Cause("layer_norm_affine_missing", NORMS, _affine, _AFFINE),
    Cause(
        "layer_norm_missing",
        NORMS,
        one("is its input: there is no layer norm", lambda op: lambda x, gamma, beta: x),
        "apply the layer norm here",
    ),
    Cause("layer_norms_swapped", NORMS[1:], _other_norm, "swap the two layer norms' tensors back"),
    Cause(
        "norm_before_residual",
        (*NORMS[1:], *RESIDUALS),
        _before_residual,
        "add the residual, then normalise",
    ),
    Cause(
        "pre_norm",
        ("query", "key", "value"),
        _pre_norm,
        "BERT normalises after each residual: normalize_first=False, norm_first=False",
    ),
)
