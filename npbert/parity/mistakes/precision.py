"""Fewer bits than meant: in the weights, in what goes into a product, or in what comes out.

Numbers rounded on the way in are rounded here in the same way, and the error vanishes. Sums that
are kept in 16 bits cannot be repeated; but what they give are 16-bit numbers, all of them, which
float32 numbers by chance are one time in thousands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from npbert.ops.gelu import gelu_approximate
from npbert.ops.types import Array
from npbert.parity.graph import Step, scores
from npbert.parity.mistakes.cause import DENSES, NORMS, Cause, Offer, Offers, Where

# Within float16's range, the numbers of TF32 are those of float16.
_PRODUCTS_OF: Final = {"tf32": "TF32 or float16", "bfloat16": "bfloat16"}
BITS: Final = {"float16": 11, "bfloat16": 8, "tf32": 11}
"""Of the significand, the leading one included."""

TABLES: Final = ("token", "position", "segment")
_PRODUCTS: Final = (*DENSES, "scores", "context")
_SUMS: Final = (*DENSES, *TABLES, *NORMS, "sum", "scores", "probs", "context", "activation")


def rounded(x: Array, name: str) -> Array:
    """The nearest number of fewer bits, ties to even, in the dtype of ``x``."""
    if name == "float16":
        with np.errstate(over="ignore"):
            return x.astype(np.float16).astype(x.dtype)
    # bfloat16 and TF32 have float32's range: only the significand is cut.
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32).astype(np.uint64)
    gone = np.uint64(24 - BITS[name])
    half = (np.uint64(1) << (gone - np.uint64(1))) - np.uint64(1)
    odd = (bits >> gone) & np.uint64(1)
    cut = ((bits + half + odd) >> gone) << gone
    return cut.astype(np.uint32).view(np.float32).astype(x.dtype)


def int8(kernel: Array, *, columns: bool) -> Array:
    """Symmetric integers of 8 bits, scaled by the largest value of each column or of all."""
    flat = kernel.reshape(len(kernel), -1).astype(np.float32)  # where ties are is a matter of dtype
    top = np.abs(flat).max(axis=0 if columns else None, keepdims=True)
    scale = np.where(top == 0, np.float32(1), top) / np.float32(127)
    return (np.round(flat / scale) * scale).reshape(kernel.shape).astype(kernel.dtype)


def _on_weights(step: Step, *edits: Callable[[Array], Array]) -> Step:
    """The step with its tensors edited, each by its own or all by the last of ``edits``."""
    op, n = step.op, len(step.inputs)

    def wrong(*x: Array) -> Array:
        tensors = x[n:]
        each = [*edits, *[edits[-1]] * len(tensors)]
        return op(*x[:n], *(edit(t) for edit, t in zip(each, tensors)))

    return step._replace(op=wrong)


def _weights(name: str) -> Callable[[Where], Offers]:
    def offers(where: Where) -> Offers:
        def edit(tensor: Array) -> Array:
            return rounded(tensor, name)

        op, says = where.step.op, f"has its weights rounded to {name}"
        if where.kind in TABLES:  # tables are large: only the rows looked up are rounded
            yield Offer(says, where.replaced(lambda ids, table: edit(op(ids, table))))
            return
        yield Offer(says, {where.stage: _on_weights(where.step, edit)})
        if where.kind in DENSES:
            says = f"has its kernel, but not its bias, rounded to {name}"
            yield Offer(says, {where.stage: _on_weights(where.step, edit, np.asarray)})

    return offers


def _int8(where: Where) -> Offers:
    for columns, each in ((True, "column"), (False, "tensor")):

        def edit(tensor: Array, columns: bool = columns) -> Array:
            return int8(tensor, columns=columns)

        step = _on_weights(where.step, edit, np.asarray)
        yield Offer(f"has its kernel rounded to int8, one scale a {each}", {where.stage: step})


def _product(name: str) -> Callable[[Where], Offers]:
    def offers(where: Where) -> Offers:
        step = where.step
        last = 1 if where.kind in DENSES else 0  # a bias is added afterwards

        def wrong(*x: Array) -> Array:
            n = len(x) - last
            return step.op(*(rounded(a, name) for a in x[:n]), *x[n:])

        says = f"is a product of numbers rounded to {_PRODUCTS_OF[name]}"
        yield Offer(says, where.replaced(wrong))

    return offers


def _computed(name: str) -> Callable[[Where], Offers]:
    def offers(where: Where) -> Offers:
        seen = where.seen
        if seen is None or not _all_short(seen, name):
            return
        op = where.step.op

        def wrong(*x: Any) -> Array:
            made = op(*x)
            finite = np.nan_to_num(made)
            near = 16 * 2.0 ** -BITS[name] * (np.abs(finite) + np.sqrt(np.square(finite).mean()))
            return np.where(np.abs(seen - made) <= near, seen, made).astype(made.dtype)

        yield Offer(f"is computed in {name}: every value is such a number", where.replaced(wrong))

    return offers


def _all_short(seen: Array, name: str) -> bool:
    """Whether so many values are 16-bit ones, in a wider dtype, that it cannot be chance."""
    values = np.asarray(seen, np.float32)
    values = values[np.isfinite(values) & (values != 0)]
    return bool(len(values) >= 8 and (rounded(values, name) == values).all())


def _constants(where: Where) -> Offers:
    """As in Keras on TensorFlow, where a Python float becomes a float32 tensor first."""
    if where.kind == "scores":
        scale = float(np.float32(1 / math.sqrt(where.config.head_dim)))
        yield Offer(
            "has 1 / sqrt(H) rounded to float32", where.replaced(partial(scores, scale=scale))
        )
    elif where.config.activation == "gelu_approximate":
        op = partial(gelu_approximate, cubic=float(np.float32(0.044715)))
        yield Offer("has GELU's 0.044715 rounded to float32", where.replaced(op))


CONSTANTS: Final = Cause(
    "constants_float32",
    ("scores", "activation"),
    _constants,
    "make the constant in the dtype of what it multiplies; below 1e-7, it can be left as it is",
)
"""Named before another scale, which explains the same."""

_WIDER: Final = "load the weights in float32"
_COMPUTE: Final = "compute in float32: no half(), no autocast, no mixed policy"

CAUSES: Final = (
    *(
        Cause(f"weights_{name}", (*TABLES, *DENSES, *NORMS), _weights(name), _WIDER)
        for name in ("float16", "bfloat16")
    ),
    Cause("weights_int8", DENSES, _int8, "load weights that are not quantised"),
    *(
        Cause(f"product_{name}", _PRODUCTS, _product(name), f"switch {words} products off")
        for name, words in _PRODUCTS_OF.items()
    ),
    *(
        # bfloat16 first: in float16's range, its numbers are float16's too.
        Cause(f"computed_{name}", _SUMS, _computed(name), _COMPUTE)
        for name in ("bfloat16", "float16")
    ),
)
