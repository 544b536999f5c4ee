"""Mistakes with whole layers: in another order, one twice, one left out."""

from __future__ import annotations

from typing import Final

from npbert.parity.graph import Graph, Step
from npbert.parity.mistakes.cause import DENSES, Cause, Offer, Offers, Where, layer_of
from npbert.parity.replay import Variant

_HAVE_WEIGHTS: Final = tuple(kind for kind in DENSES if kind != "pooled_output")
_FIX: Final = "number the layers from the input on, from 0, when the weights are read"


def with_layers(steps: Graph, taken: dict[int, int]) -> Variant:
    """Layer ``i`` with the tensors of layer ``taken[i]``."""
    variant: dict[str, Step] = {}
    for stage, step in steps.items():
        i = layer_of(stage)
        if i in taken and step.weights:
            old, new = f"transformer_layer_{i}/", f"transformer_layer_{taken[i]}/"
            names = tuple(name.replace(old, new) for name in step.weights)
            variant[stage] = step._replace(weights=names)
    return variant


def _swapped(where: Where) -> Offers:
    i, L = where.layer, where.config.num_layers
    yield Offer(
        "has the layers in reverse order",
        with_layers(where.steps, {j: L - 1 - j for j in range(L)}),
    )
    for j in range(L):
        if j != i:
            says = f"has the weights of layer {j}, and layer {j} those of layer {i}"
            yield Offer(says, with_layers(where.steps, {i: j, j: i}))


def _missing(where: Where) -> Offers:
    i, last = where.layer, where.config.num_layers - 1
    for gone in range(1, last + 1 - i):
        taken = {j: j + gone for j in range(i, last + 1 - gone)}
        output = where.steps["sequence_output"]
        end = output._replace(inputs=(f"layer.{last - gone}.output_layer_norm",))
        whole = "layer" if gone == 1 else f"layers {i} to"
        says = f"has the weights of layer {i + gone}, and so on: {whole} {i + gone - 1} is left out"
        yield Offer(says, {**with_layers(where.steps, taken), "sequence_output": end})


def _repeated(where: Where) -> Offers:
    for j in range(where.config.num_layers):
        if j != where.layer:
            says = f"has the weights of layer {j}"
            yield Offer(says, with_layers(where.steps, {where.layer: j}))


def _early(where: Where) -> Offers:
    """The second last layer's output is a known trick for sentence vectors."""
    for j in range(where.config.num_layers - 1):
        x = f"layer.{j}.output_layer_norm"
        says = f"is the output of layer {j}, where the last layer's is expected"
        yield Offer(says, {where.stage: where.step._replace(inputs=(x,))})


CAUSES: Final = (
    Cause("layers_swapped", _HAVE_WEIGHTS, _swapped, _FIX),
    Cause("layer_missing", _HAVE_WEIGHTS, _missing, _FIX),
    Cause("layer_repeated", _HAVE_WEIGHTS, _repeated, _FIX),
    Cause("layers_left_out", ("sequence_output",), _early, "take the last layer's output"),
)
