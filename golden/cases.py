"""The golden cases: tiny configs, and for each its weights, one batch, and the accuracy set.

Everything is drawn from a seed of the case's own, as float64, and rounded to float32 once, so a
float64 run and a float32 run start from the same numbers. In every case the dimensions B, T, V, L,
N, D, H, F, P, S differ from each other wherever the case's purpose allows, so that no wrong
transpose and no wrong axis can pass.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

MASKS = ("full", "ragged", "holes", "left", "empty")
"""The kinds of padding mask, in the order in which a case's rows use them."""

ACCURACY_SEQUENCES = 28


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One config, its batch and what is recorded of it.

    Args:
        name: file stem, and the name tests print.
        about: one sentence, what the case is for.
        config: the `npbert.config.BertConfig` fields.
        tokens: T of the batch.
        masks: the mask kind of each row; B is their number.
        accuracy_tokens: U, the length of the accuracy set's sequences; 0 for no such set.
        float32_stages: record every stage of the float32 backends, or only the two outputs, which
            keeps the wide cases small.
    """

    name: str
    about: str
    seed: int
    config: dict[str, Any]
    tokens: int
    masks: tuple[str, ...]
    accuracy_tokens: int = 0
    float32_stages: bool = True


def config(
    v: int, n_layers: int, n: int, d: int, f: int, p: int, s: int, *, dropout: float = 0.1
) -> dict[str, Any]:
    """BertConfig fields from the letters V, L, N, D, F, P, S."""
    return {
        "vocabulary_size": v,
        "num_layers": n_layers,
        "num_heads": n,
        "hidden_dim": d,
        "intermediate_dim": f,
        "dropout": dropout,
        "max_sequence_length": p,
        "num_segments": s,
        "activation": "gelu_approximate",
        "layer_norm_epsilon": 1e-12,
    }


CASES = (
    Case(
        name="odd_width",
        about="D = 20 is no multiple of 16; odd lengths; every kind of mask",
        seed=101,
        config=config(31, 1, 4, 20, 29, 9, 3),
        tokens=7,
        masks=(*MASKS, "holes"),
        accuracy_tokens=8,
    ),
    Case(
        name="one_head",
        about="one head of 37 features, two layers",
        seed=102,
        config=config(23, 2, 1, 37, 41, 13, 4),
        tokens=3,
        masks=MASKS,
        accuracy_tokens=7,
    ),
    Case(
        name="dropout_zero",
        about="Keras's fused attention (dropout 0); 1/sqrt(6) is no power of two",
        seed=103,
        config=config(37, 1, 5, 30, 45, 8, 3, dropout=0.0),
        tokens=4,
        masks=(*MASKS, "left", "ragged"),
        accuracy_tokens=7,
    ),
    Case(
        name="deep",
        about="three layers, two heads, T = P",
        seed=104,
        config=config(29, 3, 2, 22, 33, 6, 4),
        tokens=6,
        masks=MASKS,
        accuracy_tokens=6,
    ),
    Case(
        name="head_32_dropout_zero",
        about="head size 32 in the fused attention, T = P",
        seed=105,
        config=config(27, 1, 2, 64, 51, 4, 3, dropout=0.0),
        tokens=4,
        masks=MASKS,
        accuracy_tokens=4,
    ),
    Case(
        name="head_64",
        about="head size 64, as every published BERT has",
        seed=106,
        config=config(19, 1, 2, 128, 45, 7, 5),
        tokens=4,
        masks=("ragged", "holes", "empty"),
        accuracy_tokens=3,
        float32_stages=False,
    ),
    Case(
        name="one_token",
        about="T = 1, three layers",
        seed=107,
        config=config(17, 3, 2, 26, 34, 6, 5),
        tokens=1,
        masks=("full", "empty", "full", "full"),
        accuracy_tokens=4,
    ),
    Case(
        name="no_layers",
        about="embeddings and pooler alone: Keras accepts num_layers = 0",
        seed=108,
        config=config(21, 0, 3, 18, 25, 5, 2),
        tokens=5,
        masks=("full", "ragged", "holes", "empty"),
        accuracy_tokens=4,
    ),
    Case(
        name="wide_dropout_zero",
        about="D = 260: every product is longer than 256, so it is summed in parts",
        seed=109,
        config=config(24, 1, 4, 260, 31, 7, 6, dropout=0.0),
        tokens=5,
        masks=("left", "empty"),
        accuracy_tokens=3,
        float32_stages=False,
    ),
    Case(
        name="long",
        about="T = P = 49 rows and F = 600: several tiles and panels, sums in three parts",
        seed=110,
        config=config(71, 1, 5, 160, 600, 49, 3),
        tokens=49,
        masks=("holes",),
        accuracy_tokens=4,
        float32_stages=False,
    ),
)


def build(case: Case) -> tuple[Arrays, Arrays]:
    """Draw a case: its arrays under their bundle keys (inputs, accuracy inputs), and its weights.

    The weights are keyed by canonical name, without the ``weights.`` prefix.
    """
    rng = np.random.default_rng(case.seed)
    weights = draw_weights(rng, case.config)
    masks = np.stack([padding_mask(rng, kind, case.tokens) for kind in case.masks])
    arrays = {f"inputs.{k}": a for k, a in draw_inputs(rng, case.config, masks).items()}
    if not case.accuracy_tokens:
        return arrays, weights
    masks = np.stack([random_mask(rng, case.accuracy_tokens) for _ in range(ACCURACY_SEQUENCES)])
    accuracy = draw_inputs(rng, case.config, masks)
    return arrays | {f"accuracy.inputs.{k}": a for k, a in accuracy.items()}, weights


def draw_inputs(
    rng: np.random.Generator, config: dict[str, Any], masks: NDArray[np.int32]
) -> Arrays:
    """Token and segment ids over their whole ranges, also where the mask is 0. (B, T) int32."""
    tokens = rng.integers(config["vocabulary_size"], size=masks.shape, dtype=np.int32)
    segments = rng.integers(config["num_segments"], size=masks.shape, dtype=np.int32)
    return {"token_ids": tokens, "segment_ids": segments, "padding_mask": masks}


def padding_mask(rng: np.random.Generator, kind: str, tokens: int) -> NDArray[np.int32]:
    """One row of a padding mask, (T,) int32. With T = 1 only "full" and "empty" are possible."""
    mask = np.ones(tokens, np.int32)
    kept = int(rng.integers(1, max(tokens, 2)))
    if kind == "ragged":
        mask[kept:] = 0
    elif kind == "left":
        mask[:-kept] = 0
    elif kind == "holes":  # the first column too, so that the pooled token is itself masked
        mask[0] = 0
        mask[rng.permutation(np.arange(1, tokens))[: tokens // 3]] = 0
    elif kind == "empty":
        mask[:] = 0
    return mask


def random_mask(rng: np.random.Generator, tokens: int) -> NDArray[np.int32]:
    """A random length, sometimes with holes, never empty. (T,) int32."""
    length = int(rng.integers(1, tokens + 1))
    mask = np.zeros(tokens, np.int32)
    mask[:length] = rng.random(length) < rng.choice([1.0, 0.7])
    mask[int(rng.integers(length))] = 1
    return mask


def draw_weights(rng: np.random.Generator, config: dict[str, Any]) -> Arrays:
    """Random weights under their canonical names, float32, of a trained model's liveliness.

    A kernel's standard deviation is 0.5 to 1.0 over the square root of its fan-in, so scores,
    residuals and GELU inputs are of order 1; initial weights (0.02) would leave every softmax flat.
    """
    return {name: draw_array(rng, name, shape) for name, shape in weight_shapes(config).items()}


def draw_array(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One tensor; its name says what it is."""
    values = rng.standard_normal(shape)
    leaf = name.rsplit("/", 1)[-1]
    if leaf == "kernel":
        is_output = name.endswith("attention_output/kernel")  # (N, H, D)
        fan_in = shape[0] * shape[1] if is_output else shape[0]
        values *= rng.uniform(0.5, 1.0) / np.sqrt(fan_in)
    elif leaf == "gamma":
        values = 1.0 + 0.1 * values
    elif leaf in ("beta", "bias"):
        values *= 0.1
    else:
        values *= rng.uniform(0.3, 0.8)
    return values.astype(np.float32)


def weight_shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Every canonical name with its shape, in Keras Hub's order of building."""
    d, n, f = config["hidden_dim"], config["num_heads"], config["intermediate_dim"]
    h = d // n
    shapes: dict[str, tuple[int, ...]] = {
        "token_embedding/embeddings": (config["vocabulary_size"], d),
        "position_embedding/embeddings": (config["max_sequence_length"], d),
        "segment_embedding/embeddings": (config["num_segments"], d),
        "embeddings_layer_norm/gamma": (d,),
        "embeddings_layer_norm/beta": (d,),
    }
    for i in range(config["num_layers"]):
        layer = f"transformer_layer_{i}"
        attention = f"{layer}/self_attention_layer"
        for projection in ("query", "key", "value"):
            shapes[f"{attention}/{projection}/kernel"] = (d, n, h)
            shapes[f"{attention}/{projection}/bias"] = (n, h)
        shapes[f"{attention}/attention_output/kernel"] = (n, h, d)
        shapes[f"{attention}/attention_output/bias"] = (d,)
        for norm in ("self_attention_layer_norm", "feedforward_layer_norm"):
            shapes[f"{layer}/{norm}/gamma"] = (d,)
            shapes[f"{layer}/{norm}/beta"] = (d,)
        shapes[f"{layer}/feedforward_intermediate_dense/kernel"] = (d, f)
        shapes[f"{layer}/feedforward_intermediate_dense/bias"] = (f,)
        shapes[f"{layer}/feedforward_output_dense/kernel"] = (f, d)
        shapes[f"{layer}/feedforward_output_dense/bias"] = (d,)
    shapes["pooled_dense/kernel"] = (d, d)
    shapes["pooled_dense/bias"] = (d,)
    return shapes
