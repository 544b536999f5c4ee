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
from npbert.simd.precision import FLOAT32, Precision

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


ACTIVATION_KERNELS: Final = (softmax_kernel, sigmoid_kernel, tanh_kernel)
"""What `activated` calls."""


def activated(logits: Array, activation: str, precision: Precision = FLOAT32) -> Array:
    """One of `CLASSIFIER_ACTIVATIONS`, by its kernel: (B, C) -> (B, C)"""
    wide, columns = buffers.pad_columns(logits, precision.real), logits.shape[1]
    _activate(wide, columns, activation, precision)
    return np.ascontiguousarray(wide[:, :columns])


def _activate(logits: Array, columns: int, activation: str, precision: Precision) -> None:
    """(B, padded C), in place; ``columns`` is C."""
    if activation == "softmax":
        softmax_kernel[precision](logits, columns)
    elif activation == "sigmoid":
        sigmoid_kernel[precision](logits, logits)
    elif activation == "tanh":
        tanh_kernel[precision](logits, logits)


class ClassifierHead:
    """`classifier_head` with its weights.

    Args:
        kernel: (D, C); rounded to what the precision stores.
        bias: (C,); the same.
        activation: one of `CLASSIFIER_ACTIVATIONS`.
        precision: what it computes in.
    """

    kernels: tuple[Kernel, ...] = (dense_kernel, *ACTIVATION_KERNELS)

    def __init__(
        self, kernel: Array, bias: Array, activation: str, precision: Precision = FLOAT32
    ) -> None:
        self._dense = PackedDense(kernel, bias, precision=precision)
        self._activation, self._precision = activation, precision

    def __call__(self, pooled: Array) -> Array:
        """(B, D), its columns padded or not, -> (B, C)."""
        logits, columns = self._dense(pooled), self._dense.columns
        _activate(logits, columns, self._activation, self._precision)
        return np.ascontiguousarray(logits[:, :columns])


class MaskedLMHead:
    """`masked_lm_head` with its weights but the table's, which is BERT's own as a rule.

    Args:
        kernel, bias, gamma, beta, output_bias: as there; kernel and bias are rounded to what the
            precision stores.
        activation: ``"gelu"`` or ``"gelu_approximate"``.
        epsilon: of the layer norm.
        precision: what it computes in, which must be the table's too.
    """

    kernels: tuple[Kernel, ...] = (dense_kernel, layer_norm_kernel)

    def __init__(
        self,
        kernel: Array,
        bias: Array,
        gamma: Array,
        beta: Array,
        output_bias: Array,
        *,
        activation: str,
        epsilon: float,
        precision: Precision = FLOAT32,
    ) -> None:
        self._dense = PackedDense(kernel, bias, _GELUS[activation], precision)
        self._gamma = buffers.pad_columns(gamma[None], precision.real)
        self._beta = buffers.pad_columns(beta[None], precision.real)
        self._output_bias = output_bias.astype(precision.real)
        self._epsilon, self._precision = epsilon, precision

    def __call__(self, hidden: Array, embedding: TokenEmbedding) -> Array:
        """(M, D), its columns padded or not, and the table, -> (M, V)."""
        columns = self._dense.columns
        x = self._dense(hidden)
        normalize = layer_norm_kernel[self._precision]
        normalize(x, self._gamma, self._beta, self._epsilon, columns, x)
        logits = embedding.scores(x[:, :columns])
        logits += self._output_bias
        return self._precision.round(logits)
