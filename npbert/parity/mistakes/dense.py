"""Mistakes in a dense layer, nearly all made when weights are read: transposed, mixed up, dropped.

The flat kernel is (K, M), with heads as (N, H) on its outputs (query, key, value) or inputs
(attention output).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Final

import numpy as np

from npbert.ops.types import Array
from npbert.parity.graph import Step
from npbert.parity.mistakes.cause import DENSES, HEADS, Cause, Offer, Offers, Where
from npbert.parity.replay import Variant

Edit = Callable[[Array], Array]


def edited(step: Step, kernel: Edit, bias: Edit = np.asarray) -> Step:
    """The step with other values in its two tensors."""
    op = step.op
    return step._replace(op=lambda *x: op(*x[:-2], kernel(x[-2]), bias(x[-1])))


def flat(kernel: Array) -> tuple[int, int]:
    """(K, M) of a kernel, however its heads are split."""
    sizes = kernel.shape
    if len(sizes) < 3:
        return sizes[0], sizes[1]
    # (D, N, H) or (N, H, D): D = N H is the larger end.
    return (
        (sizes[0], sizes[1] * sizes[2]) if sizes[0] >= sizes[2] else (sizes[0] * sizes[1], sizes[2])
    )


def _transposed(kernel: Array) -> Array:
    """As if it were stored the other way round; a kernel that is not square is reshaped."""
    return kernel.reshape(flat(kernel)).T.reshape(kernel.shape)


def _heads_dealt(where: Where, kernel: Array) -> Array:
    """The heads' features in the order (H, N), on the kernel's outputs or inputs."""
    N, H = where.config.num_heads, where.config.head_dim
    if where.kind == "attention_output":  # (N, H, D)
        return np.swapaxes(kernel.reshape(H, N, -1), 0, 1)
    return np.swapaxes(kernel.reshape(-1, H, N), 1, 2)


def _head_order(where: Where) -> Offers:
    for says, bias in (("", False), (" and bias", where.kind in HEADS)):
        step = edited(
            where.step,
            lambda k: _heads_dealt(where, k),
            (lambda b: np.swapaxes(b.reshape(b.shape[::-1]), 0, 1)) if bias else np.asarray,
        )
        says = f"has the features of its kernel{says} ordered (H, N), where (N, H) is expected"
        yield Offer(says, {where.stage: step})


def _other_weights(where: Where, taken: dict[str, str]) -> Variant:
    """Stages of this layer with the tensors of other stages of it."""
    at, steps = where.beside, where.steps
    return {
        at(kind): _fitting(steps[at(kind)], steps[at(other)].weights)
        for kind, other in taken.items()
    }


def _fitting(step: Step, names: tuple[str, ...]) -> Step:
    """The step with other tensors, in the shapes of its own."""
    if len({"attention_output" in name for name in (*step.weights, *names)}) == 1:
        return step._replace(weights=names)
    op = step.op
    # (D, N, H) <-> (N, H, D), and biases (D,) <-> (N, H)
    own = step.weights

    def refit(*x: Array) -> Array:
        kernel, bias, *shapes = x[-4:]
        return op(*x[:-4], kernel.reshape(shapes[0].shape), bias.reshape(shapes[1].shape))

    return step._replace(op=refit, weights=(*names, *own))


def _permutations() -> Iterator[dict[str, str]]:
    """Query, key and value each with another's tensors, the exchanges of two first."""
    orders = [p for p in permutations(HEADS) if p != HEADS]
    for order in sorted(orders, key=lambda p: sum(a != b for a, b in zip(HEADS, p))):
        yield {kind: other for kind, other in zip(HEADS, order) if kind != other}


def _swapped(where: Where) -> Offers:
    for taken in _permutations():
        if where.kind in taken:
            pairs = ", ".join(f"{kind} has {other}'s" for kind, other in taken.items())
            yield Offer(f"has another's weights: {pairs}", _other_weights(where, taken))
    output = "attention_output"
    for kind in HEADS if where.kind == output else [where.kind]:
        says = f"has another's weights: {kind} and {output} are exchanged"
        yield Offer(says, _other_weights(where, {kind: output, output: kind}))


def _copied(where: Where) -> Offers:
    for other in (*HEADS, "attention_output"):
        if other != where.kind:
            yield Offer(f"has the weights of {other}", _other_weights(where, {where.kind: other}))


def _interleaved(where: Where) -> Offers:
    """One fused matrix of 3 D outputs, read as if it held (N, 3, H) and not (3, N, H)."""
    N, H = where.config.num_heads, where.config.head_dim
    names = tuple(n for k in HEADS for n in where.steps[where.beside(k)].weights)

    def part(which: int) -> Callable[..., Array]:
        op = where.steps[where.beside(HEADS[which])].op

        def mixed(x: Array, *tensors: Array) -> Array:
            kernels = np.stack(tensors[::2], axis=1)  # (D, 3, N, H)
            biases = np.stack(tensors[1::2])  # (3, N, H)
            kernel = kernels.reshape(-1, N, 3, H)[:, :, which]
            return op(x, kernel, biases.reshape(N, 3, H)[:, which])

        return mixed

    variant = {
        where.beside(kind): where.steps[where.beside(kind)]._replace(op=part(i), weights=names)
        for i, kind in enumerate(HEADS)
    }
    yield Offer("reads the fused weights as (N, 3, H), where (3, N, H) is expected", variant)


def _simple(says: str, kernel: Edit, bias: Edit = np.asarray) -> Callable[[Where], Offers]:
    def offers(where: Where) -> Offers:
        yield Offer(says, {where.stage: edited(where.step, kernel, bias)})

    return offers


_LAYOUT: Final = "Keras keeps a kernel as (inputs, outputs), Hugging Face as (outputs, inputs)"
_MAP: Final = "map each name to its own tensor when the weights are read"

CAUSES: Final = (
    Cause("bias_missing", DENSES, _simple("lacks the bias", np.asarray, np.zeros_like), "add it"),
    Cause(
        "bias_added_twice",
        DENSES,
        _simple("adds the bias twice", np.asarray, lambda b: b + b),
        "add it once",
    ),
    Cause("kernel_transposed", DENSES, _simple("has its kernel transposed", _transposed), _LAYOUT),
    Cause("weights_swapped", (*HEADS, "attention_output"), _swapped, _MAP),
    Cause("weights_of_another", (*HEADS, "attention_output"), _copied, _MAP),
    Cause("head_order", (*HEADS, "attention_output"), _head_order, "a kernel's heads are (N, H)"),
    Cause("qkv_interleaved", HEADS, _interleaved, "split the fused matrix as (3, N, H)"),
)
