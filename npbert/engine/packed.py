"""The weights of a model as its kernels read them, and back.

Dense kernels are packed (`npbert.simd.gemm.pack`), query, key and value as one product of 3 D
columns; tables and vectors are padded to whole vectors. There is one copy: `PackedWeights` takes
tensors out of the dictionary it is given, and makes them again when it is asked. The largest of
them, the token table, is not even copied where its rows are whole vectors.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from npbert.config import BertConfig
from npbert.simd import buffers, gemm

F32 = NDArray[np.float32]
_HEADS = ("query", "key", "value")


@dataclass(frozen=True)
class Dense:
    """A packed dense layer."""

    panels: F32
    bias: F32  # (1, padded columns)
    depth: int
    columns: int

    @classmethod
    def of(cls, kernel: F32, bias: F32) -> Dense:
        """Pack (K, M) and (M,)."""
        return cls(gemm.pack(kernel), buffers.pad_columns(bias[None]), *kernel.shape)

    def kernel(self) -> F32:
        """The (K, M) weights."""
        return gemm.unpack(self.panels, self.depth, self.columns)


@dataclass(frozen=True)
class Norm:
    """Scale and shift of a layer norm, (1, padded D) each."""

    gamma: F32
    beta: F32


@dataclass(frozen=True)
class Layer:
    """One encoder layer."""

    query_key_value: Dense
    attention_output: Dense
    attention_norm: Norm
    intermediate: Dense
    output: Dense
    output_norm: Norm


class PackedWeights:
    """All tensors of one model, ready for its kernels.

    Args:
        config: the model's.
        weights: Keras Hub's variable paths -> float32 tensors, checked, which are the model's own
            from here on. Emptied as it is packed, so that memory holds the model once;
            ``pooled_dense`` may be absent.
    """

    def __init__(self, config: BertConfig, weights: MutableMapping[str, F32]) -> None:
        self.config = config
        take = weights.pop
        self.tables = {
            name: _table(take(f"{name}_embedding/embeddings"))
            for name in ("token", "position", "segment")
        }
        self.embeddings_norm = _norm(weights, "embeddings_layer_norm")
        self.layers = [self._layer(weights, i) for i in range(config.num_layers)]
        self.pooler: Dense | None = None
        if "pooled_dense/kernel" in weights:
            self.pooler = Dense.of(take("pooled_dense/kernel"), take("pooled_dense/bias"))

    def _layer(self, weights: MutableMapping[str, F32], i: int) -> Layer:
        D, path = self.config.hidden_dim, f"transformer_layer_{i}"
        attention = f"{path}/self_attention_layer"
        take = weights.pop
        kernels = [take(f"{attention}/{name}/kernel").reshape(D, D) for name in _HEADS]
        biases = [take(f"{attention}/{name}/bias").reshape(D) for name in _HEADS]
        joined = f"{attention}/attention_output"
        return Layer(
            query_key_value=Dense.of(np.concatenate(kernels, axis=1), np.concatenate(biases)),
            attention_output=Dense.of(
                take(f"{joined}/kernel").reshape(D, D), take(f"{joined}/bias")
            ),
            attention_norm=_norm(weights, f"{path}/self_attention_layer_norm"),
            intermediate=_dense(weights, f"{path}/feedforward_intermediate_dense"),
            output=_dense(weights, f"{path}/feedforward_output_dense"),
            output_norm=_norm(weights, f"{path}/feedforward_layer_norm"),
        )

    def unpack(self) -> Iterator[tuple[str, F32]]:
        """Every tensor under its Keras Hub path, in Keras's order, bit for bit as it came."""
        D, N, H = self.config.hidden_dim, self.config.num_heads, self.config.head_dim
        for name, table in self.tables.items():
            yield f"{name}_embedding/embeddings", table[:, :D].copy()
        yield from self._unpack_norm("embeddings_layer_norm", self.embeddings_norm)
        for i, layer in enumerate(self.layers):
            path = f"transformer_layer_{i}"
            attention = f"{path}/self_attention_layer"
            joined = layer.query_key_value.kernel()  # (D, 3 D)
            for j, name in enumerate(_HEADS):
                columns = slice(j * D, (j + 1) * D)
                yield f"{attention}/{name}/kernel", joined[:, columns].reshape(D, N, H).copy()
                bias = layer.query_key_value.bias[0, columns]
                yield f"{attention}/{name}/bias", bias.reshape(N, H).copy()
            kernel = layer.attention_output.kernel().reshape(N, H, D)
            yield f"{attention}/attention_output/kernel", kernel
            yield f"{attention}/attention_output/bias", layer.attention_output.bias[0, :D].copy()
            yield from self._unpack_norm(f"{path}/self_attention_layer_norm", layer.attention_norm)
            yield from self._unpack_norm(f"{path}/feedforward_layer_norm", layer.output_norm)
            yield from _unpack(f"{path}/feedforward_intermediate_dense", layer.intermediate)
            yield from _unpack(f"{path}/feedforward_output_dense", layer.output)
        if self.pooler is not None:
            yield from _unpack("pooled_dense", self.pooler)

    def _unpack_norm(self, path: str, norm: Norm) -> Iterator[tuple[str, F32]]:
        for field in fields(norm):
            value: F32 = getattr(norm, field.name)
            yield f"{path}/{field.name}", value[0, : self.config.hidden_dim].copy()


def _table(table: F32) -> F32:
    """(rows, D) -> (rows, padded D)"""
    whole = table.shape[1] % buffers.LANES == 0 and table.flags.c_contiguous
    return table if whole else buffers.pad_columns(table)


def return_free_memory() -> None:
    """Give the system what was freed while packing: some 80 MB of BERT-base, which glibc keeps."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _norm(weights: MutableMapping[str, F32], path: str) -> Norm:
    gamma, beta = weights.pop(f"{path}/gamma"), weights.pop(f"{path}/beta")
    return Norm(buffers.pad_columns(gamma[None]), buffers.pad_columns(beta[None]))


def _dense(weights: MutableMapping[str, F32], path: str) -> Dense:
    return Dense.of(weights.pop(f"{path}/kernel"), weights.pop(f"{path}/bias"))


def _unpack(path: str, dense: Dense) -> Iterator[tuple[str, F32]]:
    yield f"{path}/kernel", dense.kernel()
    yield f"{path}/bias", dense.bias[0, : dense.columns].copy()


def random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int | None) -> dict[str, F32]:
    """Fresh weights as Keras Hub draws them.

    Tables and kernels: a normal distribution with standard deviation 0.02, cut at two of them
    (keras TruncatedNormal); biases and betas 0, gammas 1.
    """
    random = np.random.default_rng(seed)
    made: dict[str, F32] = {}
    for path, shape in shapes.items():
        kind = path.rsplit("/", 1)[1]
        if kind in ("bias", "beta"):
            made[path] = np.zeros(shape, np.float32)
        elif kind == "gamma":
            made[path] = np.ones(shape, np.float32)
        else:
            made[path] = _truncated_normal(random, shape)
    return made


def _truncated_normal(random: np.random.Generator, shape: tuple[int, ...]) -> F32:
    values = random.standard_normal(shape, np.float32)
    while (outside := np.abs(values) > 2).any():
        values[outside] = random.standard_normal(int(outside.sum()), np.float32)
    return values * np.float32(0.02)
