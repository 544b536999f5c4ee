"""The table of names."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.weights import weight_shapes
from npbert.weights.names import tensors

from .model_files import CONFIG, PRESETS, golden


def test_shapes_in_keras_order():
    one_layer = {
        "token_embedding/embeddings": (11, 12),
        "position_embedding/embeddings": (7, 12),
        "segment_embedding/embeddings": (5, 12),
        "embeddings_layer_norm/gamma": (12,),
        "embeddings_layer_norm/beta": (12,),
        "transformer_layer_0/self_attention_layer/query/kernel": (12, 3, 4),
        "transformer_layer_0/self_attention_layer/query/bias": (3, 4),
        "transformer_layer_0/self_attention_layer/key/kernel": (12, 3, 4),
        "transformer_layer_0/self_attention_layer/key/bias": (3, 4),
        "transformer_layer_0/self_attention_layer/value/kernel": (12, 3, 4),
        "transformer_layer_0/self_attention_layer/value/bias": (3, 4),
        "transformer_layer_0/self_attention_layer/attention_output/kernel": (3, 4, 12),
        "transformer_layer_0/self_attention_layer/attention_output/bias": (12,),
        "transformer_layer_0/self_attention_layer_norm/gamma": (12,),
        "transformer_layer_0/self_attention_layer_norm/beta": (12,),
        "transformer_layer_0/feedforward_layer_norm/gamma": (12,),
        "transformer_layer_0/feedforward_layer_norm/beta": (12,),
        "transformer_layer_0/feedforward_intermediate_dense/kernel": (12, 13),
        "transformer_layer_0/feedforward_intermediate_dense/bias": (13,),
        "transformer_layer_0/feedforward_output_dense/kernel": (13, 12),
        "transformer_layer_0/feedforward_output_dense/bias": (12,),
    }
    shapes = weight_shapes(CONFIG)
    assert list(shapes.items())[: len(one_layer)] == list(one_layer.items())
    assert list(shapes.items())[-2:] == [
        ("pooled_dense/kernel", (12, 12)),
        ("pooled_dense/bias", (12,)),
    ]
    assert len(shapes) == 7 + 16 * CONFIG.num_layers


def test_without_pooler_only_the_pooler_is_gone():
    all_names, without = list(weight_shapes(CONFIG)), list(weight_shapes(CONFIG, pooler=False))
    assert without == all_names[:-2]


@pytest.mark.parametrize(
    ("name", "h5", "hugging_face"),
    [
        (
            "token_embedding/embeddings",
            "/layers/reversible_embedding/vars/0",
            "embeddings.word_embeddings.weight",
        ),
        (
            "segment_embedding/embeddings",
            "/layers/embedding/vars/0",
            "embeddings.token_type_embeddings.weight",
        ),
        (
            "embeddings_layer_norm/beta",
            "/layers/layer_normalization/vars/1",
            "embeddings.LayerNorm.bias",
        ),
        (
            "transformer_layer_0/self_attention_layer/attention_output/bias",
            "/layers/transformer_encoder/_self_attention_layer/output_dense/vars/1",
            "encoder.layer.0.attention.output.dense.bias",
        ),
        (
            "transformer_layer_1/feedforward_layer_norm/gamma",
            "/layers/transformer_encoder_1/_feedforward_layer_norm/vars/0",
            "encoder.layer.1.output.LayerNorm.weight",
        ),
        ("pooled_dense/kernel", "/layers/dense/vars/0", "pooler.dense.weight"),
    ],
)
def test_one_tensor_under_its_three_names(name: str, h5: str, hugging_face: str):
    tensor = next(tensor for tensor in tensors(CONFIG) if tensor.name == name)
    assert (tensor.h5, tensor.hugging_face) == (h5, hugging_face)


@pytest.mark.parametrize("column", ["name", "h5", "hugging_face"])
def test_no_name_occurs_twice(column: str):
    names = [getattr(tensor, column) for tensor in tensors(CONFIG)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", [path.name for path in sorted(PRESETS.iterdir()) if path.is_dir()])
def test_names_and_shapes_are_those_of_the_golden_models(name: str):
    config, weights = golden(name)
    assert {k: a.shape for k, a in weights.items()} == weight_shapes(config)


def test_hugging_face_kernels_are_transposed_and_heads_split():
    by_name = {tensor.name: tensor for tensor in tensors(CONFIG)}
    query = by_name["transformer_layer_1/self_attention_layer/query/kernel"]
    assert query.hugging_face_shape == (12, 12)
    stored = np.arange(144, dtype=np.float32).reshape(12, 12)  # (N*H, D)
    kernel = query.from_hugging_face(stored)
    assert kernel.shape == (12, 3, 4)
    assert kernel[5, 2, 3] == stored[2 * 4 + 3, 5]

    intermediate = by_name["transformer_layer_1/feedforward_intermediate_dense/kernel"]
    assert intermediate.hugging_face_shape == (13, 12)
    token = by_name["token_embedding/embeddings"]
    assert token.hugging_face_shape == (11, 12)
    bias = by_name["transformer_layer_1/self_attention_layer/query/bias"]
    assert bias.hugging_face_shape == (12,)
