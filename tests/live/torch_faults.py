"""Faults to plant in a BertModel of transformers: those to be named, and those not to be."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from live.torch_plants import (
    D,
    H,
    N,
    Plant,
    V,
    activation,
    attention,
    block,
    causal,
    centred,
    dealt,
    embedding,
    epsilon,
    exchanged,
    in_training,
    kept,
    no_segments,
    norm,
    norm_first,
    on,
    pool,
    repeat_layer,
    rounded,
    scale,
    swap_layers,
    turned_round,
)
from torch.nn import functional


class Fault(NamedTuple):
    """``cause`` None is a fault that no table has; ``{i}`` in the stage is the layer."""

    cause: str | None
    stage: str
    plant: Plant


QUERY, VALUE, INNER = "attention.self.query", "attention.self.value", "intermediate.dense"
NORM = "layer.{i}.attention_layer_norm"

KNOWN: dict[str, Fault] = {
    "tanh GELU": Fault(
        "gelu_tanh",
        "layer.{i}.activation",
        activation(lambda x: functional.gelu(x, approximate="tanh")),
    ),
    "quick GELU": Fault(
        "gelu_quick", "layer.{i}.activation", activation(lambda x: x * torch.sigmoid(1.702 * x))
    ),
    "SiLU": Fault("silu", "layer.{i}.activation", activation(functional.silu)),
    "epsilon 1e-5": Fault("layer_norm_epsilon", NORM, epsilon(1e-5)),
    "epsilon 1e-3": Fault("layer_norm_epsilon", NORM, epsilon(1e-3)),
    "unbiased variance": Fault(
        "layer_norm_unbiased",
        NORM,
        norm(lambda x, g, b: centred(x) / x.std(-1, keepdim=True) * g + b),
    ),
    "epsilon outside the root": Fault(
        "layer_norm_epsilon_outside",
        NORM,
        norm(lambda x, g, b: centred(x) / (x.std(-1, keepdim=True) + 1e-3) * g + b),
    ),
    "RMS norm": Fault(
        "layer_norm_no_mean",
        NORM,
        norm(lambda x, g, b: x / x.square().mean(-1, keepdim=True).sqrt() * g + b),
    ),
    "no layer norm": Fault("layer_norm_missing", NORM, norm(lambda x, g, b: x)),
    "gamma and beta swapped": Fault(
        "layer_norm_gamma_beta_swapped",
        NORM,
        norm(lambda x, g, b: functional.layer_norm(x, (D,), b, g, 1e-12)),
    ),
    "norm before the residual": Fault(
        "norm_before_residual", "layer.{i}.attention_residual", norm_first
    ),
    "no scale": Fault("attention_scale", "layer.{i}.scores", scale(1.0)),
    "scale 1 / H": Fault("attention_scale", "layer.{i}.scores", scale(1 / H)),
    "scale 1 / sqrt(D)": Fault("attention_scale", "layer.{i}.scores", scale(1 / math.sqrt(D))),
    "no mask": Fault("mask_missing", "layer.{i}.probs", attention(masked=lambda s, m: s + 0 * m)),
    "mask inverted": Fault(
        "mask_inverted", "layer.{i}.probs", attention(masked=lambda s, m: s - 1e9 * kept(m))
    ),
    "mask too small": Fault(
        "mask_value", "layer.{i}.probs", attention(masked=lambda s, m: s - 10 * (1 - kept(m)))
    ),
    "mask added as it is": Fault(
        "mask_added_raw", "layer.{i}.probs", attention(masked=lambda s, m: s + kept(m))
    ),
    "mask after softmax": Fault(
        "mask_after_softmax",
        "layer.{i}.probs",
        attention(masked=lambda s, m: s + 0 * m, probs=lambda s, m: s.softmax(-1) * kept(m)),
    ),
    "causal mask": Fault("causal_mask", "layer.{i}.probs", attention(masked=causal)),
    "softmax over queries": Fault(
        "softmax_axis", "layer.{i}.probs", attention(probs=lambda s, m: s.softmax(-2))
    ),
    "heads not exchanged": Fault(
        "head_view",
        "layer.{i}.scores",
        attention(split=lambda x: x.reshape(len(x), N, -1, H), join=lambda x: x.transpose(1, 2)),
    ),
    "heads joined as they lie": Fault(
        "head_join", "layer.{i}.context", attention(join=lambda x: x)
    ),
    "query transposed": Fault("kernel_transposed", "layer.{i}.query", on(QUERY, lambda w: w.T)),
    "query and key swapped": Fault(
        "weights_swapped", "layer.{i}.query", exchanged(QUERY, "attention.self.key")
    ),
    "value and output swapped": Fault(
        "weights_swapped", "layer.{i}.value", exchanged(VALUE, "attention.output.dense")
    ),
    "head order": Fault("head_order", "layer.{i}.value", on(VALUE, dealt)),
    "value without bias": Fault(
        "bias_missing", "layer.{i}.value", on(VALUE, torch.zeros_like, "bias")
    ),
    "kernel in float16": Fault(
        "weights_float16", "layer.{i}.intermediate", on(INNER, rounded(torch.float16))
    ),
    "kernel in bfloat16": Fault(
        "weights_bfloat16", "layer.{i}.intermediate", on(INNER, rounded(torch.bfloat16))
    ),
    "layers swapped": Fault("layers_swapped", "layer.{i}.query", swap_layers),
    "layer used twice": Fault("layer_repeated", "layer.{i}.query", repeat_layer),
    "activation in bfloat16": Fault(
        "computed_bfloat16",
        "layer.{i}.activation",
        activation(lambda x: functional.gelu(x.bfloat16()).float()),
    ),
    "no attention residual": Fault(
        "residual_missing", "layer.{i}.attention_residual", block(lambda m, x, residual: x)
    ),
    "no feed-forward residual": Fault(
        "residual_missing", "layer.{i}.output_residual", block(lambda m, x, r: x, "output")
    ),
    "dropout left on": Fault("dropout_active", "layer.{i}.attention_residual", in_training),
    "no segments": Fault("segment_missing", "embeddings.segment", no_segments),
    "segment ids dropped": Fault(
        "segment_ids_ignored",
        "embeddings.segment",
        embedding("token_type_embeddings", torch.zeros_like),
    ),
    "positions from 2": Fault(
        "position_offset",
        "embeddings.position",
        embedding("position_embeddings", lambda ids: ids + 2),
    ),
    "token rows off by one": Fault(
        "token_rows_off",
        "embeddings.token",
        embedding("word_embeddings", lambda ids: (ids - 1) % V),
    ),
    "no tanh in the pooler": Fault(
        "pooler_activation", "pooled_output", pool(lambda dense, x: dense(x[:, 0]))
    ),
    "pooler of the last token": Fault(
        "pooler_token", "pooled_output", pool(lambda dense, x: dense(x[:, -1]).tanh())
    ),
}


UNKNOWN: dict[str, Fault] = {
    "features rolled": Fault(
        None, "layer.{i}.attention_residual", block(lambda m, x, r: torch.roll(x, 1, -1) + r)
    ),
    "another temperature": Fault(
        None,
        "layer.{i}.probs",
        attention(probs=lambda s, m: ((s - m).nan_to_num() / 1.1 + m).softmax(-1)),
    ),
    "a window of two tokens": Fault(
        None,
        "layer.{i}.probs",
        attention(
            masked=lambda s, m: s + m - 1e9 * (1 - torch.ones_like(s[0, 0]).tril(2).triu(-2))
        ),
    ),
    "GELU of another constant": Fault(
        None, "layer.{i}.activation", activation(lambda x: x * torch.sigmoid(1.6 * x))
    ),
    "features turned round": Fault(None, "layer.{i}.output", turned_round),
    "half of the norm": Fault(None, NORM, norm(lambda x, g, b: 0.5 * centred(x) * g + b)),
}
