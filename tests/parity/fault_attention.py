"""Faults in attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from parity.fault import Fault, bfloat16, here
from parity.faulty import T, softmax


def probs_with(wrong: Callable[..., np.ndarray]) -> Callable[[int], dict[str, Callable[..., Any]]]:
    return here("probs", lambda right, scores, kept, i: wrong(scores, kept[:, None, None, :]))


def dealt(x: np.ndarray) -> np.ndarray:
    """Heads as (H, N)."""
    return x.reshape(*x.shape[:2], 5, 4).swapaxes(2, 3)


def bfloat16_product(right: Any, q: np.ndarray, k: np.ndarray, i: int) -> np.ndarray:
    return right(bfloat16(q), bfloat16(k), i)


def tf32_product(right: Any, q: np.ndarray, k: np.ndarray, i: int) -> np.ndarray:
    """Ten bits of the fraction, the nearest number, ties to even."""

    def cut(x: np.ndarray) -> np.ndarray:
        bits = np.ascontiguousarray(x).view(np.uint32)
        bits = (bits + 0xFFF + ((bits >> 13) & 1)) & np.uint32(0xFFFFE000)
        return bits.view(np.float32)

    return right(cut(q), cut(k), i)


def viewed(i: int) -> dict[str, Callable[..., Any]]:
    """Heads and tokens are not exchanged before the products."""

    def view(x: np.ndarray) -> np.ndarray:
        B, T, N, H = x.shape
        return x.reshape(B, N, T, H).swapaxes(1, 2)

    def scores(model: Any, right: Any, q: np.ndarray, k: np.ndarray, layer: int) -> np.ndarray:
        return right(view(q), view(k), layer) if layer == i else right(q, k, layer)

    def context(model: Any, right: Any, probs: Any, v: Any, k: Any, layer: int) -> np.ndarray:
        return right(probs, view(v) if layer == i else v, k, layer)

    return {"scores": scores, "context": context}


ATTENTION: dict[str, Fault] = {
    "product in bfloat16": Fault(
        "product_bfloat16", "layer.{i}.scores", here("scores", bfloat16_product)
    ),
    "product in TF32": Fault("product_tf32", "layer.{i}.scores", here("scores", tf32_product)),
    "mask multiplied": Fault(
        "mask_multiplied", "layer.{i}.probs", probs_with(lambda s, kept: softmax(s * kept))
    ),
    "heads viewed": Fault("head_view", "layer.{i}.scores", viewed),
    "no scale": Fault("attention_scale", "layer.{i}.scores", here("scale", lambda r, i: 1.0)),
    "scale 1 / H": Fault("attention_scale", "layer.{i}.scores", here("scale", lambda r, i: 1 / 5)),
    "scale 1 / sqrt(D)": Fault(
        "attention_scale", "layer.{i}.scores", here("scale", lambda r, i: 20**-0.5)
    ),
    "no mask": Fault("mask_missing", "layer.{i}.probs", probs_with(lambda s, kept: softmax(s))),
    "mask after softmax": Fault(
        "mask_after_softmax", "layer.{i}.probs", probs_with(lambda s, kept: softmax(s) * kept)
    ),
    "mask too small": Fault(
        "mask_value",
        "layer.{i}.probs",
        probs_with(lambda s, kept: softmax(s - np.float32(10) * ~kept)),
        says="-10",
    ),
    "mask added as it is": Fault(
        "mask_added_raw", "layer.{i}.probs", probs_with(lambda s, kept: softmax(s + kept))
    ),
    "mask inverted": Fault(
        "mask_inverted",
        "layer.{i}.probs",
        probs_with(lambda s, kept: softmax(np.where(kept, np.float32(-1e9), s))),
    ),
    "causal mask": Fault(
        "causal_mask",
        "layer.{i}.probs",
        probs_with(lambda s, kept: softmax(np.where(kept & np.tri(T, dtype=bool), s, -1e9))),
    ),
    "softmax over queries, masked again": Fault(
        "softmax_axis",
        "layer.{i}.probs",
        probs_with(lambda s, kept: softmax(np.where(kept, s, -1e9), 2) * kept),
    ),
    "mask inverted, masked again": Fault(
        "mask_inverted",
        "layer.{i}.probs",
        probs_with(lambda s, kept: softmax(np.where(kept, -1e9, s)) * ~kept),
    ),
    "mask filled with -5": Fault(
        "mask_value",
        "layer.{i}.probs",
        probs_with(lambda s, kept: softmax(np.where(kept, s, np.float32(-5)))),
    ),
    "softmax over queries": Fault(
        "softmax_axis",
        "layer.{i}.probs",
        probs_with(lambda s, kept: softmax(np.where(kept, s, -1e9), 2)),
    ),
    "queries and keys exchanged": Fault(
        "queries_keys_exchanged",
        "layer.{i}.scores",
        here("scores", lambda right, q, k, i: right(k, q, i)),
    ),
    "values are keys": Fault(
        "values_are_keys",
        "layer.{i}.context",
        here("context", lambda right, probs, v, k, i: right(probs, k, k, i)),
    ),
    "heads split as (H, N)": Fault(
        "head_split",
        "layer.{i}.query",
        here("heads", lambda right, x, kind, i: dealt(right(x, kind, i))),
    ),
    "heads joined without exchange": Fault(
        "head_join",
        "layer.{i}.attention_output",
        here("join", lambda right, c, i: right(c.swapaxes(1, 2).reshape(c.shape), i)),
    ),
}
