"""The weights of a model as its kernels read them, and back.

Dense kernels are packed (`npbert.simd.panels.pack`), query, key and value as one product of 3 D
columns; tables and vectors are padded to whole vectors. Kernels and tables lie in the dtype in
which the model's precision stores them, vectors in the one that it computes in. There is one copy:
`PackedWeights` takes tensors out of the dictionary it is given, and makes them again when it is
asked. The largest of them, the token table, is not even copied where its rows are whole vectors.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from npbert.config import BertConfig
from npbert.simd import buffers, panels
from npbert.simd.precision import FLOAT32, Precision

Array = NDArray[Any]
_HEADS = ("query", "key", "value")


@dataclass(frozen=True)
class Dense:
    """Packed dense layers of one shape, one or more."""

    panels: Array  # (L, their size)
    bias: Array  # (L, padded columns)
    depth: int
    columns: int
    precision: Precision

    @classmethod
    def empty(cls, layers: int, depth: int, columns: int, precision: Precision) -> Dense:
        """Room for ``layers`` of them."""
        size = panels.size(depth, columns, precision)
        packed = buffers.empty(layers, size, dtype=precision.stored_dtype)
        bias = buffers.zeros(layers, buffers.padded(columns), dtype=precision.real)
        return cls(packed, bias, depth, columns, precision)

    def pack(self, i: int, kernel: Array, bias: Array) -> None:
        """Let (K, M) and (M,) be layer i."""
        panels.pack(kernel, self.panels[i], self.precision)
        self.bias[i, : self.columns] = self.precision.weights(bias)

    def unpack(self, i: int) -> tuple[Array, Array]:
        """The (K, M) weights and the (M,) bias of layer i."""
        kernel = panels.unpack(self.panels[i], self.depth, self.columns, self.precision)
        return kernel, self.bias[i, : self.columns].astype(kernel.dtype)


@dataclass(frozen=True)
class Norm:
    """Scale and shift of layer norms, (L, padded D) each."""

    gamma: Array
    beta: Array

    @classmethod
    def empty(cls, layers: int, columns: int, precision: Precision) -> Norm:
        """Room for ``layers`` of them."""
        shape = layers, buffers.padded(columns)
        return cls(*(buffers.zeros(*shape, dtype=precision.real) for _ in range(2)))

    def pack(self, i: int, gamma: Array, beta: Array) -> None:
        """Let (D,) and (D,) be layer i."""
        self.gamma[i, : len(gamma)], self.beta[i, : len(beta)] = gamma, beta


@dataclass(frozen=True)
class Layers:
    """All encoder layers: each kind of weight is one array, whose first axis is the layer.

    So one call of a kernel can run several layers; and arrays of 4 MB and more are given huge pages
    by NumPy, where the system has them, which spares the processor some 4 % of a short text's time.
    """

    query_key_value: Dense
    attention_output: Dense
    attention_norm: Norm
    intermediate: Dense
    output: Dense
    output_norm: Norm

    @classmethod
    def empty(cls, config: BertConfig, precision: Precision) -> Layers:
        """Room for all layers of a model."""
        L, D, F = config.num_layers, config.hidden_dim, config.intermediate_dim
        return cls(
            query_key_value=Dense.empty(L, D, 3 * D, precision),
            attention_output=Dense.empty(L, D, D, precision),
            attention_norm=Norm.empty(L, D, precision),
            intermediate=Dense.empty(L, D, F, precision),
            output=Dense.empty(L, F, D, precision),
            output_norm=Norm.empty(L, D, precision),
        )


class PackedWeights:
    """All tensors of one model, ready for its kernels.

    Args:
        config: the model's.
        weights: Keras Hub's variable paths -> tensors, checked, all of one float dtype, which are
            the model's own from here on. Emptied as it is packed, so that memory holds the model
            once; ``pooled_dense`` may be absent.
        precision: what the kernels that read them compute in.
    """

    def __init__(
        self,
        config: BertConfig,
        weights: MutableMapping[str, Array],
        precision: Precision = FLOAT32,
    ) -> None:
        self.config, self.precision = config, precision
        take = weights.pop
        dtype = weights["embeddings_layer_norm/gamma"].dtype
        # Tensors of more bits than are stored cannot be made again from what is packed.
        wider = dtype.itemsize > precision.stored_dtype.itemsize
        self._variables = dict(weights) if wider else None
        self._dtype = dtype
        self.tables = {
            name: _table(precision.bits(take(f"{name}_embedding/embeddings")))
            for name in ("token", "position", "segment")
        }
        self.embeddings_norm = Norm.empty(1, config.hidden_dim, precision)
        _take_norm(weights, "embeddings_layer_norm", self.embeddings_norm, 0)
        self.layers = Layers.empty(config, precision)
        for i in range(config.num_layers):
            self._take_layer(weights, i)
            return_free_memory()  # what the layer was packed from
        self.pooler: Dense | None = None
        if "pooled_dense/kernel" in weights:
            self.pooler = Dense.empty(1, config.hidden_dim, config.hidden_dim, precision)
            _take_dense(weights, "pooled_dense", self.pooler, 0)

    def _take_layer(self, weights: MutableMapping[str, Array], i: int) -> None:
        D, path, layers = self.config.hidden_dim, f"transformer_layer_{i}", self.layers
        attention = f"{path}/self_attention_layer"
        take = weights.pop
        kernels = [take(f"{attention}/{name}/kernel").reshape(D, D) for name in _HEADS]
        biases = [take(f"{attention}/{name}/bias").reshape(D) for name in _HEADS]
        layers.query_key_value.pack(i, np.concatenate(kernels, axis=1), np.concatenate(biases))
        joined = f"{attention}/attention_output"
        kernel, bias = take(f"{joined}/kernel").reshape(D, D), take(f"{joined}/bias")
        layers.attention_output.pack(i, kernel, bias)
        _take_norm(weights, f"{path}/self_attention_layer_norm", layers.attention_norm, i)
        _take_dense(weights, f"{path}/feedforward_intermediate_dense", layers.intermediate, i)
        _take_dense(weights, f"{path}/feedforward_output_dense", layers.output, i)
        _take_norm(weights, f"{path}/feedforward_layer_norm", layers.output_norm, i)

    def variable(self, name: str) -> Array | None:
        """A tensor as it came, where packing has rounded them; None where nothing was lost."""
        return None if self._variables is None else self._variables[name]

    def unpack(self) -> Iterator[tuple[str, Array]]:
        """Every tensor under its Keras Hub path, in Keras's order, bit for bit as it came."""
        if self._variables is not None:
            yield from ((name, tensor.copy()) for name, tensor in self._variables.items())
            return
        D, N, H = self.config.hidden_dim, self.config.num_heads, self.config.head_dim
        for name, table in self.tables.items():
            yield f"{name}_embedding/embeddings", self.precision.numbers(table[:, :D].copy())
        yield from self._unpack_norm("embeddings_layer_norm", self.embeddings_norm, 0)
        layers = self.layers
        for i in range(self.config.num_layers):
            path = f"transformer_layer_{i}"
            attention = f"{path}/self_attention_layer"
            joined, biases = layers.query_key_value.unpack(i)  # (D, 3 D), (3 D,)
            for j, name in enumerate(_HEADS):
                columns = slice(j * D, (j + 1) * D)
                yield f"{attention}/{name}/kernel", joined[:, columns].reshape(D, N, H).copy()
                yield f"{attention}/{name}/bias", biases[columns].reshape(N, H).copy()
            kernel, bias = layers.attention_output.unpack(i)
            yield f"{attention}/attention_output/kernel", kernel.reshape(N, H, D)
            yield f"{attention}/attention_output/bias", bias
            norm = layers.attention_norm
            yield from self._unpack_norm(f"{path}/self_attention_layer_norm", norm, i)
            yield from self._unpack_norm(f"{path}/feedforward_layer_norm", layers.output_norm, i)
            yield from _unpack(f"{path}/feedforward_intermediate_dense", layers.intermediate, i)
            yield from _unpack(f"{path}/feedforward_output_dense", layers.output, i)
        if self.pooler is not None:
            yield from _unpack("pooled_dense", self.pooler, 0)

    def _unpack_norm(self, path: str, norm: Norm, i: int) -> Iterator[tuple[str, Array]]:
        for field in fields(norm):
            value: Array = getattr(norm, field.name)
            yield f"{path}/{field.name}", value[i, : self.config.hidden_dim].astype(self._dtype)


def _table(table: Array) -> Array:
    """(rows, D) -> (rows, padded D)"""
    whole = table.shape[1] % buffers.LANES == 0 and table.flags.c_contiguous
    return table if whole else buffers.pad_columns(table, table.dtype)


def return_free_memory() -> None:
    """Give the system what was freed while packing: some 80 MB of BERT-base, which glibc keeps."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _take_norm(weights: MutableMapping[str, Array], path: str, norm: Norm, i: int) -> None:
    norm.pack(i, weights.pop(f"{path}/gamma"), weights.pop(f"{path}/beta"))


def _take_dense(weights: MutableMapping[str, Array], path: str, dense: Dense, i: int) -> None:
    dense.pack(i, weights.pop(f"{path}/kernel"), weights.pop(f"{path}/bias"))


def _unpack(path: str, dense: Dense, i: int) -> Iterator[tuple[str, Array]]:
    yield from zip((f"{path}/kernel", f"{path}/bias"), dense.unpack(i), strict=True)


def random_weights(
    shapes: Mapping[str, tuple[int, ...]], seed: int | None, dtype: DTypeLike = np.float32
) -> dict[str, Array]:
    """Fresh weights as Keras Hub draws them.

    Tables and kernels: a normal distribution with standard deviation 0.02, cut at two of them
    (keras TruncatedNormal); biases and betas 0, gammas 1. All are drawn in float32, and each is
    rounded to ``dtype`` before the next.
    """
    random = np.random.default_rng(seed)
    made: dict[str, Array] = {}
    for path, shape in shapes.items():
        kind = path.rsplit("/", 1)[1]
        if kind in ("bias", "beta"):
            made[path] = np.zeros(shape, dtype)
        elif kind == "gamma":
            made[path] = np.ones(shape, dtype)
        else:
            made[path] = _truncated_normal(random, shape).astype(dtype, copy=False)
    return made


def _truncated_normal(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    values = random.standard_normal(shape, np.float32)
    while (outside := np.abs(values) > 2).any():
        values[outside] = random.standard_normal(int(outside.sum()), np.float32)
    return values * np.float32(0.02)
