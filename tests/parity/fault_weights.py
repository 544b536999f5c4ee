"""Faults in the weights of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from parity.fault import Arrays, Fault, bfloat16, float16


def name_of(i: int, layer: str, tensor: str = "kernel") -> str:
    """``query``, ``key``, ``value``, ``attention_output`` or a feed-forward dense."""
    inside = "" if layer.startswith(("feedforward", "self")) else "self_attention_layer/"
    return f"transformer_layer_{i}/{inside}{layer}/{tensor}"


def edit(layer: str, change: Callable[[np.ndarray], np.ndarray], tensor: str = "kernel") -> Any:
    def edited(weights: Arrays, i: int) -> Arrays:
        name = name_of(i, layer, tensor)
        return {**weights, name: change(weights[name]).reshape(weights[name].shape)}

    return edited


def swap(first: str, second: str) -> Callable[[Arrays, int], Arrays]:
    def swapped(weights: Arrays, i: int) -> Arrays:
        changed = dict(weights)
        for tensor in ("kernel", "bias"):
            a, b = name_of(i, first, tensor), name_of(i, second, tensor)
            changed[a] = weights[b].reshape(weights[a].shape)
            changed[b] = weights[a].reshape(weights[b].shape)
        return changed

    return swapped


def copied(source: str, to: str) -> Callable[[Arrays, int], Arrays]:
    def taken(weights: Arrays, i: int) -> Arrays:
        names = ("kernel", "bias")
        return {**weights, **{name_of(i, to, n): weights[name_of(i, source, n)] for n in names}}

    return taken


def flat(kernel: np.ndarray) -> np.ndarray:
    return kernel.reshape(20, 20)


def layers(taken: Callable[[int], Mapping[int, int]]) -> Callable[[Arrays, int], Arrays]:
    def moved(weights: Arrays, i: int) -> Arrays:
        changed = dict(weights)
        for to, source in taken(i).items():
            for name, tensor in weights.items():
                if name.startswith(f"transformer_layer_{source}/"):
                    rest = name.partition("/")[2]
                    changed[f"transformer_layer_{to}/{rest}"] = tensor
        return changed

    return moved


def int8(x: np.ndarray) -> np.ndarray:
    scale = np.abs(x).max(axis=0, keepdims=True) / 127
    return np.round(x / scale) * scale


def interleaved(weights: Arrays, i: int) -> Arrays:
    """The fused matrix is written as (3, N, H) and read as (N, 3, H)."""
    changed = dict(weights)
    for tensor in ("kernel", "bias"):
        names = [name_of(i, part, tensor) for part in ("query", "key", "value")]
        rows = [weights[name].reshape(-1, 20) for name in names]
        fused = np.concatenate(rows, axis=-1).reshape(-1, 4, 3, 5)
        for k, name in enumerate(names):
            changed[name] = fused[:, :, k].reshape(weights[name].shape)
    return changed


WEIGHTS: dict[str, Fault] = {
    "query transposed": Fault(
        "kernel_transposed", "layer.{i}.query", weights=edit("query", lambda k: flat(k).T)
    ),
    "attention output transposed": Fault(
        "kernel_transposed",
        "layer.{i}.attention_output",
        weights=edit("attention_output", lambda k: flat(k).T),
    ),
    "query and key swapped": Fault(
        "weights_swapped", "layer.{i}.query", weights=swap("query", "key")
    ),
    "key and value swapped": Fault(
        "weights_swapped", "layer.{i}.key", weights=swap("key", "value"), says="key has value's"
    ),
    "value and output swapped": Fault(
        "weights_swapped", "layer.{i}.value", weights=swap("value", "attention_output")
    ),
    "head order of the kernel": Fault(
        "head_order",
        "layer.{i}.value",
        weights=edit("value", lambda k: k.reshape(20, 5, 4).swapaxes(1, 2)),
    ),
    "fused weights interleaved": Fault("qkv_interleaved", "layer.{i}.query", weights=interleaved),
    "query without bias": Fault(
        "bias_missing", "layer.{i}.query", weights=edit("query", np.zeros_like, "bias")
    ),
    "bias twice": Fault(
        "bias_added_twice", "layer.{i}.key", weights=edit("key", lambda b: 2 * b, "bias")
    ),
    "key is value": Fault("weights_of_another", "layer.{i}.key", weights=copied("value", "key")),
    "feed-forward without bias": Fault(
        "bias_missing",
        "layer.{i}.output",
        weights=edit("feedforward_output_dense", np.zeros_like, "bias"),
    ),
    "kernel in float16": Fault(
        "weights_float16", "layer.{i}.value", weights=edit("value", float16)
    ),
    "kernel in bfloat16": Fault(
        "weights_bfloat16",
        "layer.{i}.intermediate",
        weights=edit("feedforward_intermediate_dense", bfloat16),
    ),
    "kernel in int8": Fault(
        "weights_int8", "layer.{i}.output", weights=edit("feedforward_output_dense", int8)
    ),
    "layers in reverse": Fault(
        "layers_swapped",
        "layer.0.query",
        weights=layers(lambda i: {j: 5 - j for j in range(6)}),
        says="in reverse order",
    ),
    "layers swapped": Fault(
        "layers_swapped",
        "layer.{i}.query",
        weights=layers(lambda i: {i: 5, 5: i}),
    ),
    "layer used twice": Fault(
        "layer_repeated", "layer.{i}.query", weights=layers(lambda i: {i: (i + 5) % 6})
    ),
}
