"""What can be done to a BertModel of transformers: to its weights, settings and modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

V, N, D = 53, 4, 20
H = D // N
"""Of the model; see `npbert.shapes`."""

Plant = Callable[[Any, int], None]
"""Changes a model, in one layer if the fault is one that a layer has."""


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
    return x.view(H, N, -1).transpose(0, 1).reshape(x.shape)


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
        split(dense(x).view(B, T, N, H)) for dense in (module.query, module.key, module.value)
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
    model.embeddings.token_type_embeddings.forward = lambda x: torch.zeros(*x.shape, D)


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
