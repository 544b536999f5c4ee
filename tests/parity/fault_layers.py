"""Faults in a layer's activation, its norms, its residuals, and in the bits of its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from parity.fault import Fault, bfloat16, float16, here
from scipy import special


def tanh_gelu(right: Any, x: np.ndarray, i: int) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + np.float32(0.044715) * x**3)))


def norm_with(wrong: Callable[..., np.ndarray]) -> Callable[[int], dict[str, Callable[..., Any]]]:
    """The attention's layer norm of one layer: ``wrong(x, gamma, beta)``."""

    def make(i: int) -> dict[str, Callable[..., Any]]:
        def norm(model: Any, right: Any, x: np.ndarray, name: str, layer: int) -> np.ndarray:
            if layer != i or name.endswith("feedforward_layer_norm"):
                return right(x, name, layer)
            return wrong(x, model.weights[f"{name}/gamma"], model.weights[f"{name}/beta"])

        return {"norm": norm}

    return make


def centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean(axis=-1, keepdims=True)


def unbiased(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return centred(x) / x.std(axis=-1, keepdims=True, ddof=1) * gamma + beta


def annotated(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return gamma * centred(x) / (x.std(axis=-1, keepdims=True, ddof=1) + np.float32(1e-3)) + beta


def rms_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True)) * gamma + beta


def normal(x: np.ndarray) -> np.ndarray:
    return centred(x) / x.std(axis=-1, keepdims=True)


def no_residual(which: str) -> Callable[[int], dict[str, Callable[..., Any]]]:
    return here(
        "residual",
        lambda right, block, x, first, kind, i: (
            block if kind == which else right(block, x, first, kind, i)
        ),
    )


def dropped(right: Any, block: np.ndarray, *x: Any) -> np.ndarray:
    kept = np.random.default_rng(5).random(block.shape) > 0.1
    return right(block * kept / np.float32(0.9), *x)


def pre_norm(i: int) -> dict[str, Callable[..., Any]]:
    def layer(model: Any, right: Any, x: np.ndarray, at: int) -> np.ndarray:
        if at != i:
            return right(x, at)
        name, see = f"transformer_layer_{i}/", lambda s, v: model.see(f"layer.{i}.{s}", v)
        y = model.norm(x, name + "self_attention_layer_norm", i)
        q, k, v = (see(n, model.heads(y, n, i)) for n in ("query", "key", "value"))
        probs = see(
            "probs", model.probs(model.scores(q, k, i), model.inputs["padding_mask"] != 0, i)
        )
        x = x + see(
            "attention_output", model.join(see("context", model.context(probs, v, k, i)), i)
        )
        y = model.norm(see("attention_residual", x), name + "feedforward_layer_norm", i)
        inner = see("intermediate", model.dense(y, name + "feedforward_intermediate_dense", i))
        active = see("activation", model.activation(inner, i))
        return x + see("output", model.dense(active, name + "feedforward_output_dense", i))

    return {"layer": layer}


def other_norm(right: Any, x: np.ndarray, name: str, i: int) -> np.ndarray:
    layer, _, norm = name.partition("/")
    other = {"self_attention_layer_norm": "feedforward_layer_norm"}
    other |= {to: source for source, to in other.items()}
    return right(x, f"{layer}/{other[norm]}", i)


def norm_first(i: int) -> dict[str, Callable[..., Any]]:
    """The block is normalised, and then the residual is added; the norm shows the sum."""
    kept: dict[str, np.ndarray] = {}

    def residual(model: Any, right: Any, block: np.ndarray, x: np.ndarray, *rest: Any) -> Any:
        if rest[-1] == i and rest[-2] == "attention":
            kept.update(block=block, x=x)
        return right(block, x, *rest)

    def norm(model: Any, right: Any, x: np.ndarray, name: str, layer: int) -> np.ndarray:
        if layer == i and name.endswith("self_attention_layer_norm"):
            return right(kept["block"], name, layer) + kept["x"]
        return right(x, name, layer)

    return {"residual": residual, "norm": norm}


LAYERS: dict[str, Fault] = {
    "tanh GELU": Fault("gelu_tanh", "layer.{i}.activation", here("activation", tanh_gelu)),
    "quick GELU": Fault(
        "gelu_quick",
        "layer.{i}.activation",
        here("activation", lambda right, x, i: x * special.expit(np.float32(1.702) * x)),
    ),
    "ReLU": Fault(
        "relu", "layer.{i}.activation", here("activation", lambda right, x, i: np.maximum(x, 0))
    ),
    "SiLU": Fault(
        "silu",
        "layer.{i}.activation",
        here("activation", lambda right, x, i: x * special.expit(x)),
    ),
    "no activation": Fault(
        "activation_missing", "layer.{i}.activation", here("activation", lambda right, x, i: x)
    ),
    "epsilon 1e-5": Fault(
        "layer_norm_epsilon",
        "layer.{i}.attention_layer_norm",
        here("epsilon", lambda right, i: 1e-5),
        says="1e-05 to the variance",
    ),
    "epsilon 1e-3": Fault(
        "layer_norm_epsilon",
        "layer.{i}.attention_layer_norm",
        here("epsilon", lambda right, i: 1e-3),
        says="0.001 to the variance",
    ),
    "unbiased variance": Fault(
        "layer_norm_unbiased", "layer.{i}.attention_layer_norm", norm_with(unbiased)
    ),
    "epsilon outside the root": Fault(
        "layer_norm_epsilon_outside", "layer.{i}.attention_layer_norm", norm_with(annotated)
    ),
    "RMS norm": Fault("layer_norm_no_mean", "layer.{i}.attention_layer_norm", norm_with(rms_norm)),
    "gamma and beta swapped": Fault(
        "layer_norm_gamma_beta_swapped",
        "layer.{i}.attention_layer_norm",
        norm_with(lambda x, gamma, beta: normal(x) * beta + gamma),
    ),
    "norms swapped": Fault(
        "layer_norms_swapped",
        "layer.{i}.attention_layer_norm",
        here("norm", other_norm),
    ),
    "norm before the residual": Fault(
        "norm_before_residual", "layer.{i}.attention_layer_norm", norm_first
    ),
    "no beta": Fault(
        "layer_norm_affine_missing",
        "layer.{i}.attention_layer_norm",
        norm_with(lambda x, gamma, beta: normal(x) * gamma),
        says="leaves out beta",
    ),
    "no layer norm": Fault(
        "layer_norm_missing",
        "layer.{i}.attention_layer_norm",
        norm_with(lambda x, gamma, beta: x),
    ),
    "pre-norm": Fault("pre_norm", "layer.{i}.query", pre_norm),
    "activation in bfloat16": Fault(
        "computed_bfloat16",
        "layer.{i}.activation",
        here("activation", lambda right, x, i: bfloat16(right(x, i))),
    ),
    "output in float16": Fault(
        "computed_float16",
        "layer.{i}.output",
        here(
            "dense",
            lambda right, x, name, i: (
                float16(right(x, name, i)) if name.endswith("output_dense") else right(x, name, i)
            ),
        ),
    ),
    "no attention residual": Fault(
        "residual_missing", "layer.{i}.attention_residual", no_residual("attention")
    ),
    "no feed-forward residual": Fault(
        "residual_missing", "layer.{i}.output_residual", no_residual("output")
    ),
    "residual of the layer's input": Fault(
        "residual_of_layer_input",
        "layer.{i}.output_residual",
        here("residual", lambda r, b, x, first, kind, i: r(b, first, first, kind, i)),
    ),
    "dropout left on": Fault(
        "dropout_active", "layer.{i}.attention_residual", here("residual", dropped)
    ),
}
