"""The numerics contract, literally: BERT in scalar Python over C's ``fmaf``, rounding by rounding.

Definitions fix values; this fixes bits. It shares nothing with npbert but the names of the weights:
no NumPy arithmetic, no kernel, no constant of theirs. A number is a Python float that holds a
float32. ``+ - * /`` and ``sqrt`` of such numbers in float64, rounded to float32, are what float32
itself gives (Figueroa 1995: 53 >= 2 * 24 + 2 digits).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import math
from collections.abc import Callable
from typing import Any

Row = list[float]
DEPTH = 64
H = float.fromhex


def f32(x: float) -> float:
    return ctypes.c_float(x).value


def fma_by_hand(a: float, b: float, c: float) -> float:
    """``a * b + c``, rounded once: to odd in float64 (Boldo & Melquiond 2008), then to float32."""
    product = a * b  # exact
    total = product + c
    back = total - product
    rest = (product - (total - back)) + (c - back)  # exactly what `total` lacks
    if rest and math.isfinite(total) and int(math.ldexp(math.frexp(total)[0], 53)) % 2 == 0:
        total = math.nextafter(total, math.copysign(math.inf, rest))
    return f32(total)


def _fma_of_c() -> Callable[[float, float, float], float]:
    try:
        function = ctypes.CDLL(ctypes.util.find_library("m")).fmaf
    except (OSError, AttributeError, TypeError):  # no C library to be found under that name
        return fma_by_hand
    function.argtypes, function.restype = [ctypes.c_float] * 3, ctypes.c_float
    return function


fma = _fma_of_c()


# -- products and sums -----------------------------------------------------------------------------


def dot(a: Row, b: Row, *added: float) -> float:
    """A chain of FMAs in ascending k, cut after every DEPTH; then what is added, in order."""
    total = None
    for start in range(0, len(a), DEPTH):
        part = 0.0
        for x, y in zip(a[start : start + DEPTH], b[start : start + DEPTH]):
            part = fma(x, y, part)
        total = part if total is None else f32(total + part)
    assert total is not None
    for term in added:
        total = f32(total + term)
    return total


def tree(lanes: Row) -> float:
    for half in (8, 4, 2, 1):
        lanes = [f32(lanes[i] + lanes[i + half]) for i in range(half)]
    return lanes[0]


def lane_sum(values: Row, *, squares: bool = False) -> float:
    """Value i goes to lane i % 16; the lanes are added as a tree."""
    lanes = [0.0] * 16
    for i, x in enumerate(values):
        lanes[i % 16] = fma(x, x, lanes[i % 16]) if squares else f32(lanes[i % 16] + x)
    return tree(lanes)


def layer_norm(x: Row, gamma: Row, beta: Row, epsilon: float) -> Row:
    mean = f32(lane_sum(x) / len(x))
    centred = [f32(v - mean) for v in x]
    variance = f32(lane_sum(centred, squares=True) / len(x))
    deviation = f32(math.sqrt(f32(variance + f32(epsilon))))
    return [fma(f32(c / deviation), g, b) for c, g, b in zip(centred, gamma, beta)]


def softmax(scores: Row) -> Row:
    largest = max(scores)
    weights = [exp(f32(s - largest)) for s in scores]
    total = lane_sum(weights)
    return [f32(w / total) for w in weights]


# -- texts: pooling, and how alike vectors are ---------------------------------------------------


def weighted_sum(rows: list[Row], weights: Row, divisor: float) -> Row:
    """Rows times their weights, one chain of FMAs a column; then the division."""
    totals = [0.0] * len(rows[0])
    for row, weight in zip(rows, weights):
        totals = [fma(x, weight, total) for x, total in zip(row, totals)]
    return [f32(total / divisor) for total in totals]


def unit(x: Row) -> Row:
    length = max(f32(math.sqrt(lane_sum(x, squares=True))), f32(1e-12))
    return [f32(v / length) for v in x]


def manhattan(a: Row, b: Row) -> float:
    return -lane_sum([abs(f32(x - y)) for x, y in zip(a, b)])


def euclidean(a: Row, b: Row) -> float:
    return -f32(math.sqrt(lane_sum([f32(x - y) for x, y in zip(a, b)], squares=True)))


# -- exp, tanh, GELU -------------------------------------------------------------------------------


def polynomial(x: float, *coefficients: float) -> float:
    value = coefficients[0]
    for c in coefficients[1:]:
        value = fma(value, x, c)
    return value


ROUND, ROUND_64, DOWN_64 = 1.5 * 2**23 + 127, 1.5 * 2**23 + 127 + 64, 2.0**-64
LOG2_E = H("0x1.715476p+0"), H("0x1.4ae0c0p-26")
LN_2 = H("0x1.62e4p-1"), H("0x1.7f7d1cp-20")


def exp(x: float) -> float:
    x = max(x, -104.0)
    shifted = fma(x, LOG2_E[0], ROUND_64)
    n = f32(shifted - ROUND_64)
    r = fma(n, -LN_2[1], fma(n, -LN_2[0], x))
    q = polynomial(
        r, H("0x1.6a5424p-10"), H("0x1.123b10p-7"), H("0x1.5558acp-5"), H("0x1.555490p-3"),
        H("0x1.fffffcp-2"), 1.0, 1.0,
    )  # fmt: skip
    return f32(f32(q * 2.0 ** (n + 64)) * DOWN_64)


def sigmoid(x: float) -> float:
    e = exp(-abs(x))
    return f32((e if x < 0 else 1.0) / f32(1.0 + e))


def exp2_slope(f: float) -> float:
    return polynomial(
        f, H("0x1.417e46p-13"), H("0x1.5f0abep-10"), H("0x1.3b2dd0p-7"), H("0x1.c6af78p-5"),
        H("0x1.ebfbdcp-3"), H("0x1.62e430p-1"),
    )  # fmt: skip


def tanh(x: float) -> float:
    b = min(abs(x), 9.5)
    s = f32(b * b)
    if b < 0.625:
        t = polynomial(
            s, H("-0x1.756d14p-8"), H("0x1.520a3ap-6"), H("-0x1.b83792p-5"), H("0x1.1106fep-3"),
            H("-0x1.555532p-2"),
        )  # fmt: skip
        return math.copysign(fma(f32(b * s), t, b), x)
    n = f32(fma(b, 2 * LOG2_E[0], ROUND) - ROUND)
    f = fma(b, 2 * LOG2_E[1], fma(b, 2 * LOG2_E[0], -n))
    power = fma(fma(exp2_slope(f), f, 1.0), 2.0**n, 1.0)
    return math.copysign(f32(1.0 - f32(2.0 / power)), x)


def gelu_approximate(x: float) -> float:
    linear = H("0x1.26aec0p+1"), H("0x1.0de73ap-22")
    cubic = H("0x1.a5a7d0p-4"), H("-0x1.151aaep-29")
    a = max(-abs(x), -10.875)
    s = f32(a * a)
    s_rest = fma(a, a, -s)
    t = fma(cubic[0], s, linear[0])
    n = f32(fma(a, t, ROUND_64) - ROUND_64)
    rest = fma(cubic[0], s_rest, fma(cubic[1], s, linear[1]))
    t_rest = fma(cubic[0], s, f32(linear[0] - t))
    f = fma(a, f32(t_rest + rest), fma(a, t, -n))
    e = f32(fma(exp2_slope(f), f, 1.0) * 2.0 ** (n + 64))
    below = f32(f32(a * e) / fma(e, DOWN_64, 1.0))
    return fma(below, DOWN_64, x if x >= 0 else -0.0)


def gelu(x: float) -> float:
    a = min(abs(x), 14.5)
    s = f32(a * a)
    half = -LOG2_E[0] / 2, -LOG2_E[1] / 2
    n = f32(fma(half[0], s, ROUND_64) - ROUND_64)
    f = fma(half[1], s, fma(half[0], s, -n))
    f = fma(half[0], fma(a, a, -s), f)
    high = fma(H("0x1.0bfffap-8"), a, H("0x1.4b81ccp-5"))
    low = fma(H("0x1.764dbep-3"), a, H("0x1.c0339cp-2"))
    numerator = fma(s, fma(high, s, low), f32(0.5 * a))
    high = fma(H("0x1.9f8260p-4"), a, H("0x1.df760ep-2"))
    high = fma(H("0x1.4fe252p-7"), s, high)
    low = fma(H("0x1.335b2ep+0"), a, H("0x1.ac5bfep+0"))
    ratio = f32(numerator / fma(a, fma(high, s, low), 1.0))
    tail = f32(fma(ratio, f32(exp2_slope(f) * f), ratio) * 2.0 ** (n + 64))
    return fma(tail, -DOWN_64, x if x >= 0 else -0.0)


# -- the encoder -----------------------------------------------------------------------------------


def attention(q: list[Row], k: list[Row], v: list[Row], kept: list[bool], fused: bool) -> list[Row]:
    """One head of one sequence: (T, H) x3 -> (T, H)."""
    scale, width = f32(1 / math.sqrt(len(q[0]))), len(q[0])
    uniform = fused and not any(kept)
    keys = [s for s, keeps in enumerate(kept) if keeps or uniform]
    out = []
    for row in q:
        row = row if fused else [f32(x * scale) for x in row]
        scores = [dot(row, k[s]) for s in keys]
        scores = [f32(x * scale) for x in scores] if fused else scores
        probs = softmax([0.0] * len(keys) if uniform else scores) if keys else []
        out.append([dot(probs, [v[s][h] for s in keys]) if keys else 0.0 for h in range(width)])
    return out


def forward(
    config: Any, weights: dict[str, Any], ids: list[int], segments: list[int], kept: list[bool]
) -> tuple[list[Row], Row]:
    """One sequence: token ids, segment ids, mask -> (T, D) and (D,)."""

    def w(name: str, *shape: int) -> Any:
        array = weights[name]
        return (array.reshape(shape) if shape else array).tolist()

    def dense(x: list[Row], name: str, *residual: list[Row]) -> list[Row]:
        columns, bias = list(zip(*w(f"{name}/kernel", len(x[0]), -1))), w(f"{name}/bias", -1)
        return [
            [dot(row, c, b, *(r[j] for r in added)) for j, (c, b) in enumerate(zip(columns, bias))]
            for row, *added in zip(x, *residual)
        ]

    def norm(x: list[Row], name: str) -> list[Row]:
        pair = w(f"{name}/gamma"), w(f"{name}/beta")
        return [layer_norm(row, *pair, config.layer_norm_epsilon) for row in x]

    tables = [w(f"{name}_embedding/embeddings") for name in ("token", "position", "segment")]
    rows = zip([tables[0][i] for i in ids], tables[1], [tables[2][s] for s in segments])
    x = [[f32(f32(t + p) + s) for t, p, s in zip(*row)] for row in rows]
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
            for row, part in zip(context, attention(*split, kept, config.dropout == 0)):
                row += part
        x = dense(context, f"{layer}/self_attention_layer/attention_output", x)
        x = norm(x, f"{layer}/self_attention_layer_norm")
        wide = dense(x, f"{layer}/feedforward_intermediate_dense")
        activate = gelu if config.activation == "gelu" else gelu_approximate
        wide = [[activate(value) for value in row] for row in wide]
        x = norm(
            dense(wide, f"{layer}/feedforward_output_dense", x), f"{layer}/feedforward_layer_norm"
        )
    pooled = dense(x[:1], "pooled_dense")
    return x, [tanh(value) for value in pooled[0]]


# -- the heads -------------------------------------------------------------------------------------


def dense_row(x: Row, kernel: Any, bias: Row) -> Row:
    return [dot(x, column, b) for column, b in zip(zip(*kernel), bias)]


def classifier_head(head: dict[str, Any], pooled: Row, activation: str) -> Row:
    logits = dense_row(pooled, head["logits/kernel"].tolist(), head["logits/bias"].tolist())
    if activation == "softmax":
        return softmax(logits)
    return [{"sigmoid": sigmoid, "tanh": tanh, "linear": f32}[activation](x) for x in logits]


def masked_lm_head(
    head: dict[str, Any], table: Any, hidden: Row, activation: str, epsilon: float
) -> Row:
    w = {name.removeprefix("mlm_head/"): array.tolist() for name, array in head.items()}
    x = dense_row(hidden, w["intermediate_dense/kernel"], w["intermediate_dense/bias"])
    x = [gelu(v) if activation == "gelu" else gelu_approximate(v) for v in x]
    norm = w["intermediate_layer_norm/gamma"], w["intermediate_layer_norm/beta"]
    x = layer_norm(x, *norm, epsilon)
    return [dot(x, row, b) for row, b in zip(table.tolist(), w["output_bias"])]
