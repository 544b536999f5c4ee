"""The keys of older files, and what is beside the weights."""

from __future__ import annotations

import pytest

from npbert.weights.keras_layouts import is_weight, layer_of, table_key
from npbert.weights.names import tensors

from .model_files import CONFIG

ENCODER = "/layers/transformer_encoder_1/_self_attention_layer"


def test_the_keys_of_today_stay():
    keys = [tensor.h5 for tensor in tensors(CONFIG)]
    assert [table_key(key) for key in keys] == keys
    assert all(map(is_weight, keys))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/_token_embedding/vars/0", "/layers/reversible_embedding/vars/0"),
        ("/token_embedding/vars/1", "/layers/reversible_embedding/vars/1"),
        ("/position_embedding/vars/0", "/layers/position_embedding/vars/0"),
        ("/segment_embedding/vars/0", "/layers/embedding/vars/0"),
        ("/embeddings_layer_norm/vars/1", "/layers/layer_normalization/vars/1"),
        ("/pooled_dense/vars/0", "/layers/dense/vars/0"),
        (
            "/_layer_checkpoint_dependencies/dense/vars/1",
            "/layers/dense/vars/1",
        ),
        (f"{ENCODER}/_query_dense/vars/0", f"{ENCODER}/query_dense/vars/0"),
        (
            ENCODER.replace("layers", "_layer_checkpoint_dependencies", 1)
            + "/_output_dense/vars/1",
            f"{ENCODER}/output_dense/vars/1",
        ),
    ],
)
def test_the_keys_of_older_files(written: str, meant: str):
    assert table_key(written) == meant


@pytest.mark.parametrize(
    "key",
    [
        "/transformer_layers/transformer_encoder/_feedforward_layer_norm/vars/0",
        "/layers/_token_embedding/vars/0",
        "/__token_embedding/vars/0",
        "/_segment_embedding/vars/0",
        "/token_embedding/more/vars/0",
        "/vars/0",
    ],
)
def test_what_keras_does_not_look_for(key: str):
    assert table_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "/optimizer/vars/0",
        "/optimizer_weights/Adam/m/kernel:0",
        "/layers/dropout/seed_generator/vars/0",
        "/layers/transformer_encoder/_feedforward_dropout/seed_generator_1/vars/0",
    ],
)
def test_what_is_beside_the_weights(key: str):
    assert not is_weight(key)


@pytest.mark.parametrize(
    ("key", "layer"),
    [
        ("/layers/transformer_encoder/_feedforward_layer_norm/vars/0", 0),
        ("/layers/transformer_encoder_11/_feedforward_layer_norm/vars/0", 11),
        ("/layers/transformer_encoders/vars/0", -1),
        ("/layers/dense/vars/0", -1),
    ],
)
def test_layers(key: str, layer: int):
    assert layer_of(key) == layer
