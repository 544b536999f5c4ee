"""The examples of Keras Hub's documentation, with npbert in Keras Hub's place."""

from __future__ import annotations

import numpy as np
import pytest

import npbert
import npbert as keras_hub
from npbert import models

pytestmark = pytest.mark.kernel

# As in the docstring of keras_hub/src/models/bert/bert_backbone.py.
INPUT_DATA = {
    "token_ids": np.ones(shape=(1, 12), dtype="int32"),
    "segment_ids": np.array([[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0]]),
    "padding_mask": np.array([[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]]),
}


def test_the_public_classes_are_one():
    assert models.BertBackbone is npbert.BertBackbone
    assert models.Backbone is npbert.Backbone
    assert keras_hub.models is models
    assert set(models.__all__) <= set(dir(models))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'npbert' has no attribute 'GPT2Backbone'"):
        npbert.GPT2Backbone  # noqa: B018


def test_dir_lists_the_public_names():
    assert {"Backbone", "BertBackbone", "Embedder", "NUMERICS", "models"} <= set(dir(npbert))
    for name in dir(npbert):
        getattr(npbert, name)


def test_randomly_initialized_encoder_with_a_custom_config():
    model = keras_hub.models.BertBackbone(
        vocabulary_size=30552,
        num_layers=4,
        num_heads=12,
        hidden_dim=768,
        intermediate_dim=3072,
        max_sequence_length=12,
    )
    outputs = model(INPUT_DATA)
    assert outputs["sequence_output"].shape == (1, 12, 768)
    assert outputs["pooled_output"].shape == (1, 768)
    # A final layer norm with gamma 1 and beta 0: every row has mean 0 and variance 1.
    sequence = outputs["sequence_output"].astype(np.float64)
    np.testing.assert_allclose(sequence.mean(axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(sequence.var(axis=-1), 1, atol=1e-4)
    assert np.abs(outputs["pooled_output"]).max() <= 1


def test_pretrained_config_and_random_weights():
    model = keras_hub.models.Backbone.from_preset("bert_base_en", load_weights=False)
    assert model.count_params() == 108_310_272
    assert model(INPUT_DATA)["sequence_output"].shape == (1, 12, 768)


def test_predict_and_token_embedding():
    model = keras_hub.models.BertBackbone.from_preset("bert_tiny_en_uncased", load_weights=False)
    outputs = model.predict(INPUT_DATA)
    assert list(outputs) == ["sequence_output", "pooled_output"]
    embedded = model.token_embedding(INPUT_DATA["token_ids"])
    assert embedded.shape == (1, 12, 128)
    assert model.token_embedding(embedded, reverse=True).shape == (1, 12, 30522)
