"""What is put on top of BERT for a task: classes from a text's vector, tokens from a token's.

Source: Devlin et al. 2018, sections 3.1 (masked LM) and 4 (classification); keras_hub
BertTextClassifier, ``logits``, and MaskedLMHead; transformers BertForSequenceClassification,
``classifier``, and BertLMPredictionHead. Both heads are made of kernels that BERT has too, and of
`npbert.ops.sigmoid`'s; a class keeps a head's weights as these read them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npbert.ops.dense import PackedDense, dense, dense_kernel
from npbert.ops.gelu import gelu, gelu_approximate
from npbert.ops.layer_norm import layer_norm, layer_norm_kernel
from npbert.ops.pooler import tanh_kernel
from npbert.ops.sigmoid import sigmoid, sigmoid_kernel
from npbert.ops.softmax import softmax, softmax_kernel
from npbert.ops.token_embedding import TokenEmbedding
from npbert.ops.types import Array
from npbert.simd import buffers, gemm
from npbert.simd.kernel import Kernel

F32 = NDArray[np.float32]

CLASSIFIER_ACTIVATIONS: Final[dict[str, Callable[[Array], Array]]] = {
    "linear": lambda logits: logits,
    "softmax": lambda logits: softmax(logits, np.ones(logits.shape, np.bool_)),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
}
"""What may follow a classifier's dense layer, under Keras's names."""

_GELUS: Final = {"gelu": gemm.GELU, "gelu_approximate": gemm.GELU_APPROXIMATE}


def classifier_head(pooled: Array, kernel: Array, bias: Array, *, activation: str) -> Array:
    """``activation(pooled @ kernel + bias)``: (B, D), (D, C), (C,) -> (B, C)"""
    return CLASSIFIER_ACTIVATIONS[activation](dense(pooled, kernel, bias))


def masked_lm_head(
    hidden: Array,  # (M, D): the last layer's vectors of the tokens asked for
    kernel: Array,  # (D, D)
    bias: Array,  # (D,)
    gamma: Array,  # (D,)
    beta: Array,  # (D,)
    table: Array,  # (V, D): the token embedding's, or one of the head's own
    output_bias: Array,  # (V,)
    *,
    activation: str,
    epsilon: float,
) -> Array:  # (M, V)
    """One logit for every token of the vocabulary."""
    activate = gelu if activation == "gelu" else gelu_approximate
    normal = layer_norm(activate(dense(hidden, kernel, bias)), gamma, beta, epsilon=epsilon)
    return dense(normal, table.T, output_bias)


def activated(logits: F32, activation: str) -> F32:
    """One of `CLASSIFIER_ACTIVATIONS`, by its kernel: (B, C) -> (B, C)"""
    wide, columns = buffers.pad_columns(logits), logits.shape[1]
    _activate(wide, columns, activation)
    return np.ascontiguousarray(wide[:, :columns])


def _activate(logits: F32, columns: int, activation: str) -> None:
    """(B, padded C), in place; ``columns`` is C."""
    if activation == "softmax":
        softmax_kernel(logits, columns)
    elif activation == "sigmoid":
        sigmoid_kernel(logits, logits)
    elif activation == "tanh":
        tanh_kernel(logits, logits)


class ClassifierHead:
    """`classifier_head` with its weights.

    Args:
        kernel: (D, C) float32.
        bias: (C,) float32.
        activation: one of `CLASSIFIER_ACTIVATIONS`.
    """

    kernels: tuple[Kernel, ...] = (dense_kernel, softmax_kernel, sigmoid_kernel, tanh_kernel)

    def __init__(self, kernel: F32, bias: F32, activation: str) -> None:
        self._dense, self._activation = PackedDense(kernel, bias), activation

    def __call__(self, pooled: F32) -> F32:
        """(B, D), its columns padded or not, -> (B, C)."""
        logits, columns = self._dense(pooled), self._dense.columns
        _activate(logits, columns, self._activation)
        return np.ascontiguousarray(logits[:, :columns])


class MaskedLMHead:
    """`masked_lm_head` with its weights but the table's, which is BERT's own as a rule.

    Args:
        kernel, bias, gamma, beta, output_bias: as there, float32.
        activation: ``"gelu"`` or ``"gelu_approximate"``.
        epsilon: of the layer norm.
    """

    kernels: tuple[Kernel, ...] = (dense_kernel, layer_norm_kernel)

    def __init__(
        self,
        kernel: F32,
        bias: F32,
        gamma: F32,
        beta: F32,
        output_bias: F32,
        *,
        activation: str,
        epsilon: float,
    ) -> None:
        self._dense = PackedDense(kernel, bias, _GELUS[activation])
        self._gamma, self._beta = buffers.pad_columns(gamma[None]), buffers.pad_columns(beta[None])
        self._output_bias, self._epsilon = output_bias, epsilon

    def __call__(self, hidden: F32, embedding: TokenEmbedding) -> F32:
        """(M, D), its columns padded or not, and the table, -> (M, V)."""
        columns = self._dense.columns
        x = self._dense(hidden)
        layer_norm_kernel(x, self._gamma, self._beta, self._epsilon, columns, x)
        logits = embedding(x[:, :columns], reverse=True)
        logits += self._output_bias
        return logits
