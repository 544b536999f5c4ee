"""The numerics contract, literally: BERT in scalar Python over C's ``fma``, rounding by rounding.

Definitions fix values; this fixes bits. It shares nothing with npbert but the names of the weights:
no NumPy arithmetic, no kernel, no constant of theirs. A number is a Python float that holds a
float32, unless another `Contract` than that of float32 is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import contract_functions
import contract_functions_64
import contract_numbers
from contract_numbers import bfloat16, f32, f64, float16

Row = list[float]
Rounding = Callable[[float], float]
DEPTH = 64


class Contract(NamedTuple):
    """What a precision makes of numbers."""

    real: Rounding
    """To what is computed in."""
    stored: Rounding
    """Tables, kernels and biases, where they are used."""
    rounded: Rounding
    """Every op's results."""
    functions: Any = contract_functions

    def fma(self, a: float, b: float, c: float) -> float:
        name = "fma_64" if self.real is f64 else "fma"
        return float(getattr(contract_numbers, name)(a, b, c))


FLOAT32 = Contract(f32, f32, f32)
CONTRACTS = {
    "float32": FLOAT32,
    "float64": Contract(f64, f64, f64, contract_functions_64),
    "float16": Contract(f32, float16, float16),
    "bfloat16": Contract(f32, bfloat16, bfloat16),
    "float16_from_float32": Contract(f32, float16, f32),
    "bfloat16_from_float32": Contract(f32, bfloat16, f32),
}
"""By precision."""


# -- products and sums -----------------------------------------------------------------------------


def dot(a: Row, b: Row, *added: float, contract: Contract = FLOAT32) -> float:
    """A chain of FMAs in ascending k, cut after every DEPTH; then what is added, in order.

    A bias belongs to the product, which is rounded with it; what is added after it is another op.
    """
    total, fma = None, contract.fma
    for start in range(0, len(a), DEPTH):
        part = 0.0
        for x, y in zip(a[start : start + DEPTH], b[start : start + DEPTH]):
            part = fma(x, y, part)
        total = part if total is None else contract.real(total + part)
    assert total is not None
    for term in added:
        total = contract.rounded(contract.real(total + term))
    return total


def tree(lanes: Row, contract: Contract = FLOAT32) -> float:
    for half in (8, 4, 2, 1):
        lanes = [contract.real(lanes[i] + lanes[i + half]) for i in range(half)]
    return lanes[0]


def lane_sum(values: Row, *, squares: bool = False, contract: Contract = FLOAT32) -> float:
    """Value i goes to lane i % 16; the lanes are added as a tree."""
    lanes = [0.0] * 16
    for i, x in enumerate(values):
        last = lanes[i % 16]
        lanes[i % 16] = contract.fma(x, x, last) if squares else contract.real(last + x)
    return tree(lanes, contract)


def layer_norm(x: Row, gamma: Row, beta: Row, epsilon: float, contract: Contract = FLOAT32) -> Row:
    real = contract.real
    mean = real(lane_sum(x, contract=contract) / len(x))
    centred = [real(v - mean) for v in x]
    variance = real(lane_sum(centred, squares=True, contract=contract) / len(x))
    deviation = real(math.sqrt(real(variance + real(epsilon))))
    normal = [real(c / deviation) for c in centred]
    return [contract.rounded(contract.fma(n, g, b)) for n, g, b in zip(normal, gamma, beta)]


def softmax(scores: Row, contract: Contract = FLOAT32) -> Row:
    largest, real = max(scores), contract.real
    weights = [contract.functions.exp(real(s - largest)) for s in scores]
    total = lane_sum(weights, contract=contract)
    return [contract.rounded(real(w / total)) for w in weights]


# -- texts: pooling, and how alike vectors are ---------------------------------------------------


def weighted_sum(
    rows: list[Row], weights: Row, divisor: float, contract: Contract = FLOAT32
) -> Row:
    """Rows times their weights, one chain of FMAs a column; then the division."""
    totals = [0.0] * len(rows[0])
    for row, weight in zip(rows, weights):
        totals = [contract.fma(x, weight, total) for x, total in zip(row, totals)]
    return [contract.rounded(contract.real(total / divisor)) for total in totals]


def unit(x: Row, contract: Contract = FLOAT32) -> Row:
    real = contract.real
    length = real(math.sqrt(lane_sum(x, squares=True, contract=contract)))
    length = max(length, real(1e-12))
    return [contract.rounded(real(v / length)) for v in x]


def manhattan(a: Row, b: Row, contract: Contract = FLOAT32) -> float:
    return -lane_sum([abs(contract.real(x - y)) for x, y in zip(a, b)], contract=contract)


def euclidean(a: Row, b: Row, contract: Contract = FLOAT32) -> float:
    gaps = [contract.real(x - y) for x, y in zip(a, b)]
    return -contract.real(math.sqrt(lane_sum(gaps, squares=True, contract=contract)))


# -- the encoder -----------------------------------------------------------------------------------


def attention(
    q: list[Row], k: list[Row], v: list[Row], kept: list[bool], fused: bool, contract: Contract
) -> list[Row]:
    """One head of one sequence: (T, H) x3 -> (T, H). The fused path's scores are not rounded."""
    real, rounded, width = contract.real, contract.rounded, len(q[0])
    scale = real(1 / math.sqrt(width))
    scale = scale if fused else rounded(scale)
    uniform = fused and not any(kept)
    keys = [s for s, keeps in enumerate(kept) if keeps or uniform]
    out = []
    for row in q:
        row = row if fused else [rounded(real(x * scale)) for x in row]
        scores = [dot(row, k[s], contract=contract) for s in keys]
        scores = [real(x * scale) if fused else rounded(x) for x in scores]
        scores = [0.0] * len(keys) if uniform else scores
        probs = softmax(scores, contract) if keys else []
        columns = ([v[s][h] for s in keys] for h in range(width))
        context = [dot(probs, each, contract=contract) if keys else 0.0 for each in columns]
        out.append([rounded(x) for x in context])
    return out


def forward(
    config: Any,
    weights: dict[str, Any],
    ids: list[int],
    segments: list[int],
    kept: list[bool],
    contract: Contract = FLOAT32,
) -> tuple[list[Row], Row]:
    """One sequence: token ids, segment ids, mask -> (T, D) and (D,)."""
    real, rounded, functions = contract.real, contract.rounded, contract.functions

    def w(name: str, *shape: int) -> Any:
        array = weights[name].astype(float)
        return (array.reshape(shape) if shape else array).tolist()

    def matrix(name: str, *shape: int) -> list[Row]:
        return [[contract.stored(x) for x in row] for row in w(name, *shape)]

    def dense(x: list[Row], name: str, *residual: list[Row]) -> list[Row]:
        columns = list(zip(*matrix(f"{name}/kernel", len(x[0]), -1)))
        (bias,) = matrix(f"{name}/bias", 1, -1)
        return [
            [
                dot(row, c, b, *(r[j] for r in added), contract=contract)
                for j, (c, b) in enumerate(zip(columns, bias))
            ]
            for row, *added in zip(x, *residual)
        ]

    def norm(x: list[Row], name: str) -> list[Row]:
        pair = w(f"{name}/gamma"), w(f"{name}/beta")
        return [layer_norm(row, *pair, config.layer_norm_epsilon, contract) for row in x]

    tables = [matrix(f"{name}_embedding/embeddings") for name in ("token", "position", "segment")]
    rows = zip([tables[0][i] for i in ids], tables[1], [tables[2][s] for s in segments])
    x = [[rounded(real(rounded(real(t + p)) + s)) for t, p, s in zip(*row)] for row in rows]
    x = norm(x, "embeddings_layer_norm")
    for i in range(config.num_layers):
        layer, width = f"transformer_layer_{i}", config.hidden_dim // config.num_heads
        q, k, v = (
            dense(x, f"{layer}/self_attention_layer/{name}") for name in ("query", "key", "value")
        )
        context: list[Row] = [[] for _ in x]
        for n in range(config.num_heads):
            head = slice(n * width, (n + 1) * width)
            split = ([row[head] for row in each] for each in (q, k, v))
            parts = attention(*split, kept, config.dropout == 0, contract)
            for row, part in zip(context, parts):
                row += part
        x = dense(context, f"{layer}/self_attention_layer/attention_output", x)
        x = norm(x, f"{layer}/self_attention_layer_norm")
        wide = dense(x, f"{layer}/feedforward_intermediate_dense")
        activate = functions.gelu if config.activation == "gelu" else functions.gelu_approximate
        wide = [[rounded(activate(value)) for value in row] for row in wide]
        x = norm(
            dense(wide, f"{layer}/feedforward_output_dense", x), f"{layer}/feedforward_layer_norm"
        )
    pooled = dense(x[:1], "pooled_dense")
    return x, [rounded(functions.tanh(value)) for value in pooled[0]]


# -- the heads, in float32 -------------------------------------------------------------------------


def dense_row(x: Row, kernel: Any, bias: Row) -> Row:
    return [dot(x, column, b) for column, b in zip(zip(*kernel), bias)]


def classifier_head(head: dict[str, Any], pooled: Row, activation: str) -> Row:
    logits = dense_row(pooled, head["logits/kernel"].tolist(), head["logits/bias"].tolist())
    if activation == "softmax":
        return softmax(logits)
    activate = f32 if activation == "linear" else getattr(contract_functions, activation)
    return [activate(x) for x in logits]


def masked_lm_head(
    head: dict[str, Any], table: Any, hidden: Row, activation: str, epsilon: float
) -> Row:
    w = {name.removeprefix("mlm_head/"): array.tolist() for name, array in head.items()}
    x = dense_row(hidden, w["intermediate_dense/kernel"], w["intermediate_dense/bias"])
    x = [getattr(contract_functions, activation)(v) for v in x]
    norm = w["intermediate_layer_norm/gamma"], w["intermediate_layer_norm/beta"]
    x = layer_norm(x, *norm, epsilon)
    return [dot(x, row, b) for row, b in zip(table.tolist(), w["output_bias"])]
