"""Faults to plant in a BertModel of transformers: in its weights, settings and modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.nn import functional

Plant = Callable[[Any, int], None]
"""Changes a model, in one layer if the fault is one that a layer has."""


class Fault(NamedTuple):
    """``cause`` None is a fault that no table has; ``{i}`` in the stage is the layer."""

    cause: str | None
    stage: str
    plant: Plant


def layer(model: Any, i: int) -> Any:
    return model.encoder.layer[i]


def heads(model: Any, i: int) -> Any:
    return layer(model, i).attention.self


# -- weights ---------------------------------------------------------------------------------------


def on(path: str, change: Callable[[torch.Tensor], torch.Tensor], tensor: str = "weight") -> Plant:
    """One tensor of a layer, changed; ``path`` is within it."""

    def plant(model: Any, i: int) -> None:
        parameter = getattr(layer(model, i).get_submodule(path), tensor)
        parameter.data = change(parameter.data).contiguous()

    return plant


def exchanged(first: str, second: str) -> Plant:
    def plant(model: Any, i: int) -> None:
        a, b = (layer(model, i).get_submodule(path) for path in (first, second))
        for name in ("weight", "bias"):
            x, y = getattr(a, name), getattr(b, name)
            x.data, y.data = y.data.clone(), x.data.clone()

    return plant


def rounded(dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: x.to(dtype).to(x.dtype)


def dealt(x: torch.Tensor) -> torch.Tensor:
    """The outputs' heads as (H, N)."""
    return x.view(5, 4, -1).transpose(0, 1).reshape(x.shape)


def swap_layers(model: Any, i: int) -> None:
    layers, j = model.encoder.layer, len(model.encoder.layer) - 1
    layers[i], layers[j] = layers[j], layers[i]


def repeat_layer(model: Any, i: int) -> None:
    model.encoder.layer[i].load_state_dict(model.encoder.layer[i - 1].state_dict())


# -- settings and modules --------------------------------------------------------------------------


def epsilon(value: float, path: str = "attention.output.LayerNorm") -> Plant:
    return lambda model, i: setattr(layer(model, i).get_submodule(path), "eps", value)


class Function(torch.nn.Module):
    """A function, where a module is wanted."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.forward = function  # type: ignore[method-assign]


def activation(function: Callable[[torch.Tensor], torch.Tensor]) -> Plant:
    def plant(model: Any, i: int) -> None:
        layer(model, i).intermediate.intermediate_act_fn = Function(function)

    return plant


def scale(value: float) -> Plant:
    return lambda model, i: setattr(heads(model, i), "scaling", value)


def norm(function: Callable[..., torch.Tensor]) -> Plant:
    """The attention's layer norm: ``function(x, gamma, beta)``."""

    def plant(model: Any, i: int) -> None:
        module = layer(model, i).attention.output.LayerNorm
        module.forward = lambda x: function(x, module.weight, module.bias)

    return plant


def centred(x: torch.Tensor) -> torch.Tensor:
    return x - x.mean(-1, keepdim=True)


def block(change: Callable[..., torch.Tensor], path: str = "attention.output") -> Plant:
    """Where a block ends: ``change(module, dense(x), residual)``, before the layer norm."""

    def plant(model: Any, i: int) -> None:
        module = layer(model, i).get_submodule(path)
        module.forward = lambda x, residual: module.LayerNorm(
            change(module, module.dense(x), residual)
        )

    return plant


def norm_first(model: Any, i: int) -> None:
    module = layer(model, i).attention.output
    module.forward = lambda x, residual: module.LayerNorm(module.dense(x)) + residual


def attention(**wrong: Any) -> Plant:
    """Attention written anew, with one piece of it wrong."""

    def plant(model: Any, i: int) -> None:
        module = heads(model, i)
        module.forward = lambda x, attention_mask=None, **_: attend(
            module, x, attention_mask, **wrong
        )

    return plant


def attend(
    module: Any,
    x: torch.Tensor,
    mask: torch.Tensor | None,
    split: Callable[[torch.Tensor], torch.Tensor] = lambda x: x.transpose(1, 2),
    masked: Callable[..., torch.Tensor] = lambda scores, mask: scores + mask,
    probs: Callable[..., torch.Tensor] = lambda scores, mask: scores.softmax(-1),
    weigh: Callable[..., torch.Tensor] = lambda probs, key, value: probs @ value,
    join: Callable[[torch.Tensor], torch.Tensor] = lambda x: x.transpose(1, 2),
) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``eager_attention_forward``, piece by piece."""
    B, T, _ = x.shape
    q, k, v = (
        split(dense(x).view(B, T, 4, 5)) for dense in (module.query, module.key, module.value)
    )
    if mask is None:
        mask = torch.zeros(B, 1, 1, T)
    scores = torch.matmul(q, k.transpose(2, 3)) * module.scaling
    found = probs(masked(scores, mask), mask)
    return join(weigh(found, k, v)).reshape(B, T, -1), found


def kept(mask: torch.Tensor) -> torch.Tensor:
    """1 where a key is kept, of an additive mask."""
    return (mask == 0).float()


def causal(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    T = scores.shape[-1]
    return (scores + mask).masked_fill(~torch.ones(T, T).tril().bool(), -1e9)


# -- embeddings and pooler -------------------------------------------------------------------------


def embedding(name: str, ids: Callable[[torch.Tensor], torch.Tensor]) -> Plant:
    """Another row of a table."""

    def plant(model: Any, i: int) -> None:
        module = getattr(model.embeddings, name)
        module.forward = lambda x: functional.embedding(ids(x), module.weight)

    return plant


def no_segments(model: Any, i: int) -> None:
    model.embeddings.token_type_embeddings.forward = lambda x: torch.zeros(*x.shape, 20)


def pool(change: Callable[..., torch.Tensor]) -> Plant:
    """``change(dense, hidden states)``"""

    def plant(model: Any, i: int) -> None:
        model.pooler.forward = lambda hidden: change(model.pooler.dense, hidden)

    return plant


def in_training(model: Any, i: int) -> None:
    """A functional dropout that nobody switches off."""
    torch.manual_seed(11)
    block(lambda m, x, residual: functional.dropout(x, 0.1, training=True) + residual)(model, i)


def turned_round(model: Any, i: int) -> None:
    dense = layer(model, i).output.dense
    dense.forward = lambda x: functional.linear(x.flip(-1), dense.weight, dense.bias)


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
        norm(lambda x, g, b: functional.layer_norm(x, (20,), b, g, 1e-12)),
    ),
    "norm before the residual": Fault(
        "norm_before_residual", "layer.{i}.attention_residual", norm_first
    ),
    "no scale": Fault("attention_scale", "layer.{i}.scores", scale(1.0)),
    "scale 1 / H": Fault("attention_scale", "layer.{i}.scores", scale(1 / 5)),
    "scale 1 / sqrt(D)": Fault("attention_scale", "layer.{i}.scores", scale(1 / math.sqrt(20))),
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
        attention(split=lambda x: x.reshape(len(x), 4, -1, 5), join=lambda x: x.transpose(1, 2)),
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
        embedding("word_embeddings", lambda ids: (ids - 1) % 53),
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
