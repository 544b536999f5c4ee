"""One forward pass over ragged rows: embeddings, then layer after layer.

Compare `npbert.reference.forward`, which is the same in plain NumPy, and `npbert.engine.trace`,
which runs op by op.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from npbert.config import BertConfig
from npbert.engine.packed import Dense, Layers, Norm, PackedWeights
from npbert.engine.plan import Plan
from npbert.ops.embedding import embedding_kernel
from npbert.ops.layer_norm import layer_norm_kernel
from npbert.ops.pooler import tanh_kernel
from npbert.ops.transformer_layer import layers_kernel
from npbert.progress import progress
from npbert.simd import buffers
from npbert.simd.barrier import linger_kernel
from npbert.simd.gemm import GELU, GELU_APPROXIMATE, NO_ACTIVATION, gemm_kernel
from npbert.simd.kernel import Kernel
from npbert.simd.precision import Precision

Array = NDArray[Any]

ATTENTION_ROWS = 64
"""Rows of scores at once: with 512 keys they fill 128 KB, half of a small L2 cache."""

CALL_WORK = 1 << 31
"""Multiplications in one call of the layers' kernel: Ctrl-C is seen between calls, and a call costs
some 20 microseconds. On a slow core these are a tenth of a second; a layer is always done whole."""

_ACTIVATIONS = {"gelu_approximate": GELU_APPROXIMATE, "gelu": GELU}


class Workspace:
    """Scratch memory of one forward pass at a time; grows to the largest, and is used again.

    Args:
        dtype: of the numbers in it.
    """

    def __init__(self, dtype: DTypeLike = np.float32) -> None:
        self._dtype = dtype
        self._buffers: dict[str, Array] = {}

    def get(self, name: str, *shape: int) -> Array:
        """An uninitialised array of this shape, on the buffer kept under ``name``."""
        size = math.prod(shape)
        if name not in self._buffers or self._buffers[name].size < size:
            self._buffers[name] = buffers.empty(size, dtype=self._dtype)
        return self._buffers[name][:size].reshape(shape)

    def for_attention(self, config: BertConfig, most_keys: int) -> tuple[Array, ...]:
        """Attention's scratch: query, scores, context, key panels, value panels."""
        H, S = config.head_dim, buffers.padded(max(1, most_keys))
        wide = buffers.padded(H)
        return (
            self.get("attention.query", ATTENTION_ROWS, wide),
            self.get("attention.scores", ATTENTION_ROWS, S),
            self.get("attention.context", ATTENTION_ROWS, wide),
            self.get("attention.keys", 1, S * H),
            self.get("attention.values", 1, S * wide),
        )


class Forward:
    """One pass of ``plan`` through ``weights``: `embed`, then `layers` on one or more threads."""

    def __init__(self, weights: PackedWeights, plan: Plan, workspace: Workspace) -> None:
        self.weights, self.plan = weights, plan
        self.config = config = weights.config
        D, F = config.hidden_dim, config.intermediate_dim
        self.x, self.qkv, self.context, self.hidden, self.wide = (
            workspace.get(name, plan.rows, buffers.padded(columns))
            for name, columns in (
                *(("x", D), ("qkv", 3 * D), ("context", D)),
                *(("hidden", D), ("wide", F)),
            )
        )
        # Of `layers_kernel`, all but the thread's own: made once, for each thread would wait for
        # the interpreter to make them.
        self._arguments = (
            *(config.num_heads, config.head_dim, config.intermediate_dim),
            *(config.layer_norm_epsilon, scale(config, weights.precision)),
            *(config.dropout == 0, _ACTIVATIONS[config.activation]),
            *(self.x, self.qkv, self.context, self.hidden, self.wide),
            *_arrays(weights.layers),
            *(plan.row_starts, plan.keys, plan.key_starts, plan.uniform),
        )
        self._kernel = layers_kernel[weights.precision]

    def embed(self) -> None:
        """``x``: the sum of the three embeddings, normalised."""
        embed(self.weights, self.plan, self.x)
        normalize(self.weights, self.x, self.weights.embeddings_norm, self.x)

    def layers(
        self,
        part: int,
        parts: int,
        state: NDArray[np.int64],
        scratch: Workspace,
        stopped: Callable[[], bool],
    ) -> None:
        """Every layer; afterwards ``x`` holds the rows of ``sequence_output``.

        Args:
            part, parts: this thread's number, and how many run the same pass.
            state: the barrier's.
            scratch: of this thread alone.
            stopped: asked before each call of the kernel; True abandons the pass.
        """
        layers, count = self.config.num_layers, _layers_at_once(self.config, self.plan.rows)
        nothing = np.empty((0, 0, 0), self.x.dtype)
        own = (*scratch.for_attention(self.config, self.plan.most_keys), nothing)
        for first in range(0, layers, count):
            if stopped():
                break
            last = min(layers, first + count)
            self._kernel(part, parts, state, first, last, *self._arguments, *own)


def _layers_at_once(config: BertConfig, rows: int) -> int:
    """As many layers as one call may run."""
    D, F = config.hidden_dim, config.intermediate_dim
    return max(1, CALL_WORK // (max(1, rows) * D * (4 * D + 2 * F)))


def _arrays(layers: Layers) -> tuple[Array, ...]:
    """The weights of all layers, in the order in which a layer uses them."""
    first, joined = layers.query_key_value, layers.attention_output
    inner, outer = layers.intermediate, layers.output
    return (
        *(first.panels, first.bias, joined.panels, joined.bias),
        *(layers.attention_norm.gamma, layers.attention_norm.beta),
        *(inner.panels, inner.bias, outer.panels, outer.bias),
        *(layers.output_norm.gamma, layers.output_norm.beta),
    )


def scale(config: BertConfig, precision: Precision) -> Any:
    """What attention multiplies by: 1 / sqrt(H), rounded where Keras casts it."""
    exact = np.array(1 / math.sqrt(config.head_dim), precision.real)
    rounded = precision.rounded is not None and config.dropout > 0
    return (precision.weights(exact) if rounded else exact)[()]


def embed(weights: PackedWeights, plan: Plan, out: Array) -> None:
    """The sum of token, position and segment embedding of every row."""
    tables = weights.tables
    ids = (plan.token_ids, plan.positions, plan.segment_ids)
    kernel = embedding_kernel[weights.precision]
    kernel(*ids, tables["token"], tables["position"], tables["segment"], out)


def normalize(weights: PackedWeights, x: Array, norm: Norm, out: Array, *, layer: int = 0) -> None:
    """A layer norm over whole rows."""
    config, kernel = weights.config, layer_norm_kernel[weights.precision]
    gamma, beta = norm.gamma[layer : layer + 1], norm.beta[layer : layer + 1]
    kernel(x, gamma, beta, config.layer_norm_epsilon, config.hidden_dim, out)


def apply_dense(
    x: Array, dense: Dense, out: Array, residual: Array | None = None, *, layer: int = 0
) -> None:
    """``out = x @ kernel + bias (+ residual)``"""
    panels, bias = dense.panels[layer], dense.bias[layer : layer + 1]
    weights = (dense.depth, panels, dense.columns, bias)
    added = x[:0] if residual is None else residual
    gemm_kernel[dense.precision](len(x), x, *weights, added, NO_ACTIVATION, out, 0, 1)


def pool(weights: PackedWeights, hidden: Array) -> Array:
    """``tanh(hidden @ kernel + bias)``: the pooler over one row a sequence.  (B, padded D)"""
    assert weights.pooler is not None
    out = np.empty_like(hidden)
    apply_dense(hidden, weights.pooler, out)
    tanh_kernel[weights.precision](out, out)
    return out


def kernels(precision: Precision) -> tuple[Kernel, ...]:
    """Every kernel that a forward pass calls, and that its threads do."""
    ops = (embedding_kernel, layer_norm_kernel, layers_kernel, gemm_kernel, tanh_kernel)
    return (*(op[precision] for op in ops), linger_kernel)


def prepare(wanted: tuple[Kernel, ...]) -> None:
    """Make the kernels ready; where that means compiling, say so on stderr, with progress."""
    missing = [each for each in wanted if not each.load()]
    if not missing:
        return
    title = "npbert: compiling kernels, once for this machine"
    if not sys.stderr.isatty():
        print(f"{title} ({len(missing)}, about {2 * len(missing)} s) ...", file=sys.stderr)
    with progress(title, len(missing), show=sys.stderr.isatty()) as advance:
        for each in missing:
            each.prepare()
            advance(1)
