"""A BERT in NumPy that is written apart from npbert's, so that it can be got wrong in one place.

Each op is a method that is told the layer; a fault replaces one method, for some layers. It
computes in float32 and records its stages, as any other implementation would.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import special

from npbert.config import BertConfig
from npbert.weights.names import weight_shapes

CONFIG = BertConfig(
    vocabulary_size=53,
    num_layers=6,
    num_heads=4,
    hidden_dim=20,
    intermediate_dim=37,
    max_sequence_length=15,
    num_segments=3,
    activation="gelu",
    layer_norm_epsilon=1e-12,
)
B, T = 3, 9
EMBEDDINGS = -1
"""The layer number of what is before the layers; what is after them has `CONFIG.num_layers`."""


def draw_weights(random: np.random.Generator, config: BertConfig = CONFIG) -> dict[str, np.ndarray]:
    """float32 tensors in the sizes of a trained model: no bias 0, no gamma 1."""

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if name.endswith("gamma"):
            return random.uniform(0.6, 1.4, shape)
        scale = 0.9 / math.sqrt(config.hidden_dim) if name.endswith("kernel") else 0.3
        return random.normal(0, scale, shape)

    shapes = weight_shapes(config)
    return {name: draw(name, shape).astype(np.float32) for name, shape in shapes.items()}


def draw_inputs(random: np.random.Generator) -> dict[str, np.ndarray]:
    """Two segments in each row; the rows have no padding, some on the right, some on the left."""
    places = np.arange(T) + np.zeros((B, 1), int)
    mask = np.stack([places[0] >= 0, places[1] < T - 2, places[2] >= 5])
    segments = places >= np.array([4, 3, 7])[:, None]
    ids = random.integers(1, CONFIG.vocabulary_size, (B, T))
    arrays = {"token_ids": ids * mask, "segment_ids": segments * mask, "padding_mask": mask}
    return {name: array.astype(np.int32) for name, array in arrays.items()}


@dataclasses.dataclass
class Model:
    """One forward pass.

    ``wrong`` maps a method's name to what replaces it: a function that is given the model, the
    right method and its arguments, the layer last.
    """

    weights: Mapping[str, np.ndarray]
    config: BertConfig = CONFIG
    wrong: Mapping[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)

    def __getattribute__(self, name: str) -> Any:
        right = object.__getattribute__(self, name)
        wrong = object.__getattribute__(self, "__dict__").get("wrong", {})
        if name in wrong:
            return lambda *args: wrong[name](self, right, *args)
        return right

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.inputs, self.stages = inputs, {}
        with np.errstate(all="ignore"):
            x = self.embed()
            for i in range(self.config.num_layers):
                x = self.layer(x, i)
            self.see("sequence_output", x)
            self.see("pooled_output", self.pool(x))
        return self.stages

    def see(self, stage: str, value: np.ndarray) -> np.ndarray:
        self.stages[stage] = value.astype(np.float32)
        return value

    # -- what comes before the layers --------------------------------------------------------------

    def token_rows(self) -> np.ndarray:
        return self.weights["token_embedding/embeddings"][self.inputs["token_ids"]]

    def position_ids(self) -> np.ndarray:
        return np.broadcast_to(np.arange(T), (B, T))

    def segment_ids(self) -> np.ndarray:
        return self.inputs["segment_ids"]

    def add(self, token: np.ndarray, position: np.ndarray, segment: np.ndarray) -> np.ndarray:
        return token + segment + position

    def embed(self) -> np.ndarray:
        at, tables = "embeddings", self.weights
        token = self.see(f"{at}.token", self.token_rows())
        places = tables["position_embedding/embeddings"][self.position_ids()]
        position = self.see(f"{at}.position", places)
        kinds = tables["segment_embedding/embeddings"][self.segment_ids()]
        x = self.see(f"{at}.sum", self.add(token, position, self.see(f"{at}.segment", kinds)))
        return self.see(f"{at}.layer_norm", self.norm(x, "embeddings_layer_norm", EMBEDDINGS))

    # -- a layer -----------------------------------------------------------------------------------

    def layer(self, x: np.ndarray, i: int) -> np.ndarray:
        at, name = f"layer.{i}.", f"transformer_layer_{i}/"
        see = lambda stage, value: self.see(at + stage, value)  # noqa: E731
        q, k, v = (
            see(n, self.heads(x, n, i).astype(np.float32)) for n in ("query", "key", "value")
        )
        scores = see("scores", self.scores(q, k, i))
        probs = see("probs", self.probs(scores, self.inputs["padding_mask"] != 0, i))
        joined = self.join(see("context", self.context(probs, v, k, i)), i)
        residual = self.residual(see("attention_output", joined), x, x, "attention", i)
        y = self.norm(see("attention_residual", residual), name + "self_attention_layer_norm", i)
        see("attention_layer_norm", y)
        inner = self.dense(y, name + "feedforward_intermediate_dense", i)
        active = see("activation", self.activation(see("intermediate", inner), i))
        outer = see("output", self.dense(active, name + "feedforward_output_dense", i))
        residual = see("output_residual", self.residual(outer, y, x, "output", i))
        return see("output_layer_norm", self.norm(residual, name + "feedforward_layer_norm", i))

    def tensors(self, name: str, i: int) -> tuple[np.ndarray, np.ndarray]:
        """A dense layer's, without axes for heads."""
        bias = self.weights[f"{name}/bias"].reshape(-1)
        return self.weights[f"{name}/kernel"].reshape(-1, len(bias)), bias

    def dense(self, x: np.ndarray, name: str, i: int) -> np.ndarray:
        kernel, bias = self.tensors(name, i)
        return np.einsum("btk,km->btm", x, kernel) + bias

    def heads(self, x: np.ndarray, kind: str, i: int) -> np.ndarray:
        flat = self.dense(x, f"transformer_layer_{i}/self_attention_layer/{kind}", i)
        return flat.reshape(B, T, self.config.num_heads, self.config.head_dim)

    def scale(self, i: int) -> float:
        return 1 / math.sqrt(self.config.head_dim)

    def scores(self, q: np.ndarray, k: np.ndarray, i: int) -> np.ndarray:
        return np.einsum("btnh,bsnh->bnts", q, k) * np.float32(self.scale(i))

    def probs(self, scores: np.ndarray, kept: np.ndarray, i: int) -> np.ndarray:
        return softmax(np.where(kept[:, None, None, :], scores, np.float32(-1e9)))

    def context(self, probs: np.ndarray, v: np.ndarray, k: np.ndarray, i: int) -> np.ndarray:
        return np.einsum("bnts,bsnh->btnh", probs, v)

    def join(self, context: np.ndarray, i: int) -> np.ndarray:
        name = f"transformer_layer_{i}/self_attention_layer/attention_output"
        return self.dense(context.reshape(B, T, -1), name, i)

    def residual(
        self, block: np.ndarray, x: np.ndarray, layer_input: np.ndarray, which: str, i: int
    ) -> np.ndarray:
        return block + x

    def epsilon(self, i: int) -> float:
        return self.config.layer_norm_epsilon

    def norm(self, x: np.ndarray, name: str, i: int) -> np.ndarray:
        gamma, beta = self.weights[f"{name}/gamma"], self.weights[f"{name}/beta"]
        variance = x.var(axis=-1, keepdims=True) + np.float32(self.epsilon(i))
        return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance) * gamma + beta

    def activation(self, x: np.ndarray, i: int) -> np.ndarray:
        return x * special.ndtr(x).astype(np.float32)

    def first(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0]

    def pool(self, x: np.ndarray) -> np.ndarray:
        kernel, bias = self.tensors("pooled_dense", self.config.num_layers)
        return np.tanh(self.first(x) @ kernel + bias)


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
